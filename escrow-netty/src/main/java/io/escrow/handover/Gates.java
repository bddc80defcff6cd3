package io.escrow.handover;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import java.util.Map;
import java.util.Set;

/** Finds out which gate a connection's pipeline needs. */
final class Gates {

    /** By name: the module that they are in need not be there. */
    private static final Set<String> HTTP_DECODERS =
            Set.of("io.netty.handler.codec.http.HttpServerCodec", "io.netty.handler.codec.http.HttpRequestDecoder");

    private Gates() {}

    /** Puts a gate behind the guard if the pipeline speaks a protocol that the kit knows; returns it, or {@code null}. */
    static Gate install(ChannelHandlerContext guard) {
        for (Map.Entry<String, ChannelHandler> e : guard.pipeline()) {
            for (Class<?> c = e.getValue().getClass(); c != null; c = c.getSuperclass()) {
                if (HTTP_DECODERS.contains(c.getName())) {
                    return HttpGate.install(guard);
                }
            }
        }
        return null;
    }
}
