package io.escrow.control;

/**
 * The outcome of an upgrade in place.
 *
 * @param pid the process number of the daemon that serves now; 0 if it is in another container
 * @param version its version
 * @param before the process number of the daemon that served before
 */
public record UpgradeView(int pid, String version, long before) {}
