package io.escrow.spring;

import io.escrow.handover.ServerHandoverBuilder;

/**
 * Changes how the server is handed over, beyond what the properties say: a bean of this type is called once, before the
 * server starts. Several are called in their order.
 */
@FunctionalInterface
public interface EscrowCustomizer {

    /**
     * Changes settings. The observer of the server is set already: for one of your own, declare a bean of the type {@link
     * io.escrow.handover.HandoverObserver}.
     *
     * @param server the description of the server, without listeners
     */
    void customize(ServerHandoverBuilder server);
}
