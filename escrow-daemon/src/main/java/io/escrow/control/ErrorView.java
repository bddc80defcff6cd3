package io.escrow.control;

/**
 * Tells why the daemon did not do what it was asked.
 *
 * @param status the name of an {@link io.escrow.Status}
 * @param message what was wrong, the value and the bound
 */
public record ErrorView(String status, String message) {}
