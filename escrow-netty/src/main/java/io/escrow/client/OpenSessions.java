package io.escrow.client;

import io.netty.channel.Channel;
import java.nio.file.Path;
import java.util.concurrent.ConcurrentHashMap;

/** Counts the sessions that clients of this process have now. */
final class OpenSessions {

    private static final ConcurrentHashMap<Path, Integer> COUNTS = new ConcurrentHashMap<>();

    private OpenSessions() {}

    /** Counts a session until its channel is closed. */
    static void add(Path path, Channel session) {
        COUNTS.merge(path, 1, Integer::sum);
        session.closeFuture()
                .addListener(f -> COUNTS.computeIfPresent(path, (key, count) -> count == 1 ? null : count - 1));
    }

    /** Returns whether a client of this process has the session of a daemon. */
    static boolean exists(Path path) {
        return COUNTS.containsKey(path);
    }
}
