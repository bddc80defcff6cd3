package io.escrow.handover.connection;

import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Puts gates into the pipelines of embedded channels, as a connection does. */
public final class Gates {

    private Gates() {}

    /** Installs the gate of a protocol that is found as a service; returns {@code null} if none recognises the pipeline. */
    public static MessageGate install(EmbeddedChannel channel, Protocol... first) {
        return ProtocolRegistry.with(List.of(first)).install(new ProtocolContext() {
            @Override
            public ChannelPipeline pipeline() {
                return channel.pipeline();
            }

            @Override
            public boolean isEscrowed() {
                return false;
            }

            @Override
            public CompletableFuture<Void> checkpoint() {
                return CompletableFuture.completedFuture(null);
            }
        });
    }
}
