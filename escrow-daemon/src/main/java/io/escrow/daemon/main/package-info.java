/**
 * The program {@code escrowd}: its command line, its log, and its messages to systemd.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.main;
