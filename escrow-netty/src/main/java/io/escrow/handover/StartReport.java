package io.escrow.handover;

import java.time.Duration;
import java.util.List;

/**
 * Describes how a server came up.
 *
 * @param adoptedListeners the names of the listeners that were taken over
 * @param inheritedListeners the names of the listeners that this process was started with, see {@link
 *     ServerHandoverBuilder#inheritListeners}
 * @param boundListeners the names of the listeners that were bound
 * @param adopted how many connections were taken over from a process that handed them over
 * @param foundAfterCrash how many connections were taken over from a process that had died
 * @param refused what was in the escrow and was given up, and why; its slots are free
 * @param left what this version of the program could not take over, and why. It stays in the escrow, or in waves with the
 *     process before, so that a version that can take it over finds it
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
        List<String> left,
        Duration took,
        Pauses pauses) {}
