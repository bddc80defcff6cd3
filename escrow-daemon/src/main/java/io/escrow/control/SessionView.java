package io.escrow.control;

/**
 * Tells whose session is on.
 *
 * @param pid the process number of the client; 0 if it is in another container
 * @param uid its user
 * @param gid its group
 * @param program the name of its program; {@code null} if it can't be seen
 * @param seconds for how long the session has been on
 * @param queuedSeconds how long the client had waited; {@code null} if it did not tell
 * @param requests how many requests were carried out or refused
 */
public record SessionView(
        int pid, int uid, int gid, String program, double seconds, Double queuedSeconds, long requests) {}
