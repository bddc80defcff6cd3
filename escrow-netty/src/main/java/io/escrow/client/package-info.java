/**
 * The asynchronous client of the escrow, its blocking view, and the start of a daemon on demand.
 *
 * <p>Asynchronous is the core: {@link io.escrow.client.EscrowClient} hands requests to a handler on the event loop,
 * which packs what waits into packets and answers in order. {@link io.escrow.client.BlockingEscrow} only waits.
 */
package io.escrow.client;
