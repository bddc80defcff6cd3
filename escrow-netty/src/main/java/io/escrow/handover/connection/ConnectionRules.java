package io.escrow.handover.connection;

/**
 * What a server knows about the handlers in the pipelines of its connections.
 *
 * @param protocols the protocols that connections may speak
 * @param immovable the handlers because of which a connection can't be moved
 */
public record ConnectionRules(ProtocolRegistry protocols, ImmovableHandlers immovable) {}
