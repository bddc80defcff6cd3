package io.escrow.control;

import java.util.Map;

/**
 * A slot in detail.
 *
 * @param slot the slot in brief
 * @param number the number that the descriptor had in the process that stored it; -1 without a descriptor
 * @param keepFlags whether the flags of the open file are kept as they are
 * @param descriptor further properties of the descriptor by name; empty without a descriptor
 * @param sections the sizes of the sections that a {@code ServerHandover} stored, by name; {@code null} if another
 *     program stored the slot
 * @param payload the payload, in Base64; {@code null} if it is sent apart from this
 * @param farewell the farewell, in Base64; {@code null} if it is sent apart from this
 */
public record SlotDetails(
        SlotView slot,
        int number,
        boolean keepFlags,
        Map<String, String> descriptor,
        Map<String, Integer> sections,
        String payload,
        String farewell) {}
