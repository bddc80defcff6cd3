package io.escrow.handover.protocol;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelPipeline;
import java.util.concurrent.CompletableFuture;

/** Gives a protocol access to one connection. Used on the connection's event loop. */
public interface ProtocolContext {

    /**
     * Returns the pipeline of the connection.
     *
     * @return the pipeline
     */
    ChannelPipeline pipeline();

    /**
     * Finds a handler in the pipeline by the name of its class: the class need not be there.
     *
     * @param className the binary name of the handler's class, or of one that it extends
     * @return the first such handler; {@code null} if there is none
     */
    default ChannelHandler find(String className) {
        // Not by its iterator, which makes a map of all handlers.
        for (String name : pipeline().names()) {
            ChannelHandler handler = pipeline().get(name);
            // The tail has none.
            for (Class<?> c = handler == null ? null : handler.getClass(); c != null; c = c.getSuperclass()) {
                if (c.getName().equals(className)) {
                    return handler;
                }
            }
        }
        return null;
    }

    /**
     * Returns whether the escrow has a duplicate of the connection, so that the connection outlives a crash of this
     * process.
     *
     * @return {@code false} for a server that is not crash-safe, most of the time
     */
    boolean isEscrowed();

    /**
     * Renews what the escrow knows about the connection: asks the protocol and the {@link Movable} handlers for their
     * state.
     *
     * @return a future that is done when the escrow has the state; it may be completed by another thread. Fails with an
     *     {@code io.escrow.EscrowException}. Cancelling it changes nothing but the future
     */
    CompletableFuture<Void> checkpoint();
}
