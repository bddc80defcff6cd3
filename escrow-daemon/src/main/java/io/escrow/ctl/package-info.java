/**
 * The operators' commands, {@code escrowd ctl}: each sends a request to the control socket and prints the answer.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.ctl;
