package io.escrow.handover.http;

import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;

/**
 * Moves connections of HTTP/1.1, and the WebSockets that they become.
 *
 * <p>The module {@code netty-codec-http} need not be there: without it no connection is recognised.
 */
public final class HttpProtocol implements Protocol {

    /** By name, so that this class can be loaded without the module that these classes are in. */
    private static final String[] DECODERS = {
        "io.netty.handler.codec.http.HttpServerCodec", "io.netty.handler.codec.http.HttpRequestDecoder"
    };

    /** Makes the protocol; it has no settings. */
    public HttpProtocol() {}

    @Override
    public String name() {
        return "http";
    }

    @Override
    public ProtocolConnection recognise(ProtocolContext context) {
        for (String decoder : DECODERS) {
            if (context.find(decoder) != null) {
                return HttpConnection.recognise(context);
            }
        }
        return null;
    }
}
