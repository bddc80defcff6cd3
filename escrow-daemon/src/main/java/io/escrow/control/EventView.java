package io.escrow.control;

import java.util.Map;

/**
 * Tells that something has happened.
 *
 * @param time when, ISO 8601
 * @param event what it was, such as {@code session began}
 * @param details numbers and names that belong to it
 */
public record EventView(String time, String event, Map<String, Object> details) {}
