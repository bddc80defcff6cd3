/**
 * What happens in the daemon: the log of events, the record of each session, and the counters.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.events;
