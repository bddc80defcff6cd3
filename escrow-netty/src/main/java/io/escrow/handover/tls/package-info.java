/**
 * Moves live TLS connections: what a user says about the TLS of a server.
 *
 * <p>Needs {@code netty-handler}, and no class of another package of the library needs that to be loaded.
 */
package io.escrow.handover.tls;
