/**
 * What lies in the slots of a server that can be handed over: its listeners and connections, as records.
 *
 * <p>Internal: not part of the API. Uses {@code io.escrow.client} and nothing of the packages above it.
 */
package io.escrow.handover.store;
