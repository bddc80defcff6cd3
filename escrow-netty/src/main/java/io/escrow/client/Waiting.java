package io.escrow.client;

import java.nio.file.Path;

/**
 * Tells that a client waits for its turn: the daemon has another session on, or is just being started.
 *
 * @param path the path of the daemon's socket
 * @param holder the process number of the client whose session is on; 0 when it is not known
 */
public record Waiting(Path path, long holder) {

    @Override
    public String toString() {
        return holder == 0
                ? "waiting for an answer on \"" + path + "\": another process has the session, or escrowd just starts"
                : "waiting for the session of process " + holder + " on \"" + path + "\" to end";
    }
}
