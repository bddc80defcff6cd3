/**
 * Lets operators look into a running daemon and steer it: the commands of {@code escrowd ctl}, what they ask, and what
 * they are told.
 *
 * <p>The daemon answers on the control socket {@code PATH.ctl}, with HTTP and JSON; the records of this package are that
 * JSON, on both sides. A component that is {@code null} is left out.
 */
package io.escrow.ctl;
