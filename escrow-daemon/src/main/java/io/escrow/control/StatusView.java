package io.escrow.control;

import java.util.List;
import java.util.Map;

/**
 * The status of a daemon.
 *
 * @param version the version of the daemon
 * @param pid the process number of the daemon
 * @param path the path of the daemon's socket
 * @param startedAt the time of its start, ISO 8601
 * @param uptimeSeconds how long it has run
 * @param session the current session; {@code null} if there is none
 * @param waiting the number of clients that wait in the queue
 * @param slots the number of used slots
 * @param maxSlots the largest number of used slots
 * @param payloadBytes the sum of all payloads and farewells
 * @param maxPayloadBytes the largest sum of all payloads and farewells
 * @param descriptors the number of held descriptors
 * @param maxDescriptors the largest number of held descriptors
 * @param openFiles the number of files that the process has open
 * @param maxOpenFiles the number of files that it may have open ({@code ulimit -n})
 * @param tags the used tags in ascending order
 * @param counters the counters since the start
 * @param standby the process that serves when this one ends; {@code null} if there is none, and none was asked for
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
        Counters counters,
        StandbyView standby) {

    /**
     * The totals of a tag.
     *
     * @param tag the tag
     * @param slots the number of its used slots
     * @param descriptors the number of descriptors in them
     * @param payloadBytes the sum of their payloads and farewells
     */
    public record TagView(int tag, int slots, int descriptors, long payloadBytes) {}

    /**
     * Counters since the start of the daemon.
     *
     * @param sessions sessions that have begun
     * @param refused clients without access
     * @param timedOut sessions that were ended by a timeout
     * @param evicted sessions that were ended by an operator
     * @param expired slots that were closed because no client claimed them
     * @param reaped slots that were freed because their peer had gone
     * @param removed slots that were emptied by an operator
     * @param logLinesDropped lines of the log that were dropped because nobody read them in time
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
            long logLinesDropped,
            Map<String, Map<String, Long>> requests) {}
}
