/**
 * The record layer of TLS 1.3 and 1.2 servers, for connections whose handshake another engine has done: what of such a
 * connection moves to another process, and the engine that goes on with it there.
 *
 * <p>Internal: not part of the API. Uses the JDK only. Nothing here is thread-safe: a connection belongs to its event loop.
 */
package io.escrow.handover.tls.record;
