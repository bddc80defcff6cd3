/**
 * Servers of Reactor Netty that can be handed over, by event loops whose server channels come from the escrow. Uses {@code
 * io.escrow.handover}.
 */
package io.escrow.reactor;
