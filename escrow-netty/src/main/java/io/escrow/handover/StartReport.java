package io.escrow.handover;

import java.time.Duration;
import java.util.List;

/**
 * Tells how a server came up.
 *
 * @param adoptedListeners the names of the listeners that were taken over
 * @param inheritedListeners the names of the listeners that this process was started with, see {@link
 *     ServerHandoverBuilder#inheritListeners}
 * @param boundListeners the names of the listeners that were bound
 * @param adopted how many connections were taken over from a process that handed them over
 * @param foundAfterCrash how many connections were taken over from a process that had died
 * @param refused what was in the escrow and could not be taken over, and why; its slots are free
 * @param took how long it took, from the moment that it was this process's turn
 * @param pauses how long the connections that were handed over paused
 */
public record StartReport(
        List<String> adoptedListeners,
        List<String> inheritedListeners,
        List<String> boundListeners,
        int adopted,
        int foundAfterCrash,
        List<String> refused,
        Duration took,
        Pauses pauses) {}
