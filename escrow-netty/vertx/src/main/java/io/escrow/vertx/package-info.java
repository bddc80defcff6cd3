/**
 * Hands over HTTP and TCP servers of Vert.x: {@link io.escrow.vertx.EscrowVertxTransport} for Vert.x 5, and {@link
 * io.escrow.vertx.EscrowEpollTransport} for Vert.x 4.5.
 */
package io.escrow.vertx;
