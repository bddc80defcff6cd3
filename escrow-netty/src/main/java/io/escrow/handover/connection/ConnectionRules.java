package io.escrow.handover.connection;

/**
 * What a server knows about its connections.
 *
 * @param protocols the protocols that connections may speak
 * @param immovable the handlers because of which a connection can't be moved
 * @param attributes the attributes that move with a connection
 */
public record ConnectionRules(ProtocolRegistry protocols, ImmovableHandlers immovable, MovedAttributes attributes) {}
