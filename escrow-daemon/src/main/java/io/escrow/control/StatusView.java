package io.escrow.control;

import java.util.List;
import java.util.Map;

/**
 * Tells how a daemon is.
 *
 * @param version its version
 * @param pid its process number
 * @param path the path of its socket
 * @param startedAt when it started, ISO 8601
 * @param uptimeSeconds for how long it has run
 * @param session whose session is on; {@code null} if none is
 * @param waiting how many clients wait in the queue
 * @param slots how many slots are used
 * @param maxSlots how many may be
 * @param payloadBytes the sum of all payloads and farewells
 * @param maxPayloadBytes how large it may be
 * @param descriptors how many descriptors are held
 * @param maxDescriptors how many may be
 * @param openFiles how many files the process has open
 * @param maxOpenFiles how many it may ({@code ulimit -n})
 * @param tags the tags that are used, by number
 * @param counters what has happened since the start
 */
public record StatusView(
        String version,
        long pid,
        String path,
        String startedAt,
        double uptimeSeconds,
        SessionView session,
        int waiting,
        int slots,
        int maxSlots,
        long payloadBytes,
        long maxPayloadBytes,
        int descriptors,
        int maxDescriptors,
        int openFiles,
        long maxOpenFiles,
        List<TagView> tags,
        Counters counters) {

    /**
     * Sums up a tag.
     *
     * @param tag its number
     * @param slots how many of its slots are used
     * @param descriptors how many of them hold a descriptor
     * @param payloadBytes the sum of their payloads and farewells
     */
    public record TagView(int tag, int slots, int descriptors, long payloadBytes) {}

    /**
     * Counts what has happened since the daemon started.
     *
     * @param sessions sessions begun
     * @param refused clients that were not let in
     * @param timedOut sessions ended because the client stood still
     * @param evicted sessions ended by an operator
     * @param expired slots closed because nobody claimed them
     * @param reaped slots freed because their peer had gone
     * @param removed slots emptied by an operator
     * @param requests how often each kind of request had each outcome
     */
    public record Counters(
            long sessions,
            long refused,
            long timedOut,
            long evicted,
            long expired,
            long reaped,
            long removed,
            Map<String, Map<String, Long>> requests) {}
}
