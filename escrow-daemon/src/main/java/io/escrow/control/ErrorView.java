package io.escrow.control;

/**
 * The reason why a request failed.
 *
 * @param status the name of an {@link io.escrow.Status}
 * @param message what was wrong, the value and the bound
 */
public record ErrorView(String status, String message) {}
