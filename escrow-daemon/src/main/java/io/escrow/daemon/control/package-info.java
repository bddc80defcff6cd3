/**
 * The control socket and the port of the metrics: HTTP requests of operators and monitoring systems, answered on a thread of
 * their own. The answers are the records of {@code io.escrow.control}.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.control;
