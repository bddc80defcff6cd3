package io.escrow.control;

import java.util.Map;

/**
 * An event.
 *
 * @param time the time of the event, ISO 8601
 * @param event what happened, such as {@code session began}
 * @param details further properties by name
 */
public record EventView(String time, String event, Map<String, Object> details) {}
