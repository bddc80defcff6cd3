package io.escrow.control;

/**
 * The current session.
 *
 * @param pid the process number of the client; 0 if it is in another container
 * @param uid the user of the client
 * @param gid the group of the client
 * @param program the name of the client's program; {@code null} if unknown
 * @param seconds how long the session has lasted
 * @param queuedSeconds how long the client had waited for it; {@code null} if unknown
 * @param requests the number of requests that were carried out or refused
 */
public record SessionView(
        int pid, int uid, int gid, String program, double seconds, Double queuedSeconds, long requests) {}
