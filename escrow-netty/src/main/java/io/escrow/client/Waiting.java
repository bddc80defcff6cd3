package io.escrow.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.SocketPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Describes why a client waits for its turn: the daemon has a session with another client, or is just being started.
 *
 * @param path the path of the daemon's socket
 * @param holder the process number of the client that has the session; 0 when it is not known
 */
public record Waiting(Path path, long holder) {

    /** Reads which process has the session of a daemon now. */
    static Waiting on(Path path) {
        try {
            List<String> lines = Files.readAllLines(SocketPath.lockFile(path), UTF_8);
            return new Waiting(
                    path, lines.size() < 2 ? 0 : Long.parseLong(lines.get(1).trim()));
        } catch (IOException | NumberFormatException e) {
            return new Waiting(path, 0);
        }
    }

    @Override
    public String toString() {
        return holder == 0
                ? "waiting for an answer on \"" + path + "\": another process has the session, or escrowd just starts"
                : "waiting for the session of process " + holder + " on \"" + path + "\" to end";
    }
}
