package io.escrow.control;

import java.util.Map;

/**
 * Tells everything about a slot.
 *
 * @param slot what a list tells of it
 * @param number the number that the descriptor had in the process that stored it; -1 without one
 * @param keepFlags whether the flags of its open file are kept as they are
 * @param descriptor what else is known about the descriptor, by name; empty without one
 * @param sections the sizes of the sections that a {@code ServerHandover} has stored, by name; {@code null} if it was
 *     stored by something else
 * @param payload the payload, in Base64
 * @param farewell the farewell, in Base64
 */
public record SlotDetails(
        SlotView slot,
        int number,
        boolean keepFlags,
        Map<String, String> descriptor,
        Map<String, Integer> sections,
        String payload,
        String farewell) {}
