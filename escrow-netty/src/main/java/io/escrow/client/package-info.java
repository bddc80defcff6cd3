/**
 * The asynchronous client of the escrow, its blocking view, and the start of a daemon on demand.
 *
 * <p>{@link io.escrow.client.EscrowClient} hands requests to a handler on the event loop, which packs waiting requests
 * into packets and answers them in order. {@link io.escrow.client.BlockingEscrow} only waits for the answers.
 */
package io.escrow.client;
