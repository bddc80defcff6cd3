/**
 * Moves connections of HTTP/1.1 and WebSocket: the only code of the library that uses {@code netty-codec-http}.
 *
 * <p>Internal: not part of the API. Found as a service; uses {@code io.escrow.handover.protocol} and Netty only.
 */
package io.escrow.handover.http;
