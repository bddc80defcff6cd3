package io.escrow.handover.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionData;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionUtil;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtensionHandler;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * Moves the state of permessage-deflate (RFC 7692) of one WebSocket, as Netty codes it.
 *
 * <p>What the server compresses needs none: a fresh compressor refers to nothing that was before, and may. What the peer
 * compresses may refer to the last 32 KiB, unless it has agreed not to take over the context.
 */
final class WebSocketDeflate {

    private static final String NAME = "permessage-deflate";
    private static final String NO_TAKEOVER = "client_no_context_takeover";

    private static final String PACKAGE = "io.netty.handler.codec.http.websocketx.extensions.compression.";
    private static final String DECODER = PACKAGE + "PerMessageDeflateDecoder";
    private static final String ENCODER = PACKAGE + "PerMessageDeflateEncoder";

    private static final String LOST =
            "WebSocket with compression: the window of its peer was in the memory of the process that has died";

    private final HttpTracker tracker;
    private final ChannelHandlerContext httpEncoder;
    private final ChannelPipeline pipeline;
    private boolean begun;
    private DeflateWindow window;

    /** Moves the state of the WebSocket that takes the place of an HTTP codec. */
    WebSocketDeflate(HttpTracker tracker, ChannelHandlerContext httpEncoder) {
        this.tracker = tracker;
        this.httpEncoder = httpEncoder;
        this.pipeline = httpEncoder.pipeline();
    }

    /** Returns whether a handler codes permessage-deflate; only those of Netty are known. */
    static boolean isCoder(ChannelHandler handler) {
        String name = handler.getClass().getName();
        return name.equals(DECODER) || name.equals(ENCODER);
    }

    /** Is called before compressed bytes reach the decoder. */
    void beforeMessage() {
        if (!begun && isTakenOver()) {
            begun = true;
            ChannelHandlerContext decoder = find(DECODER);
            window = decoder == null ? null : DeflateWindow.fresh(decoder);
        }
    }

    /** Returns why the connection can't be moved; {@code null} if it can. */
    String whyImmovable() {
        if (tracker.extensions() == null) {
            return find(DECODER) == null ? null : "WebSocket with compression that was not agreed on";
        }
        if (agreed() == null) {
            return "WebSocket with extensions other than permessage-deflate: " + tracker.extensions();
        }
        if (httpEncoder.isRemoved() && (find(DECODER) == null || find(ENCODER) == null)) {
            return "WebSocket with compression by handlers that are not Netty's";
        }
        if (begun && window == null) {
            return "WebSocket with compression, whose decoder does not give its window away";
        }
        return null;
    }

    /** Returns why the connection can't go on after a crash; {@code null} if it can. */
    String whyLostInCrash() {
        boolean lost = tracker.isUpgradeWritten() ? isTakenOver() : mightHaveBeenAgreedOn();
        return lost ? LOST : null;
    }

    /** Returns whether there was somebody to agree on extensions, and somebody who asked for them. */
    boolean mightHaveBeenAgreedOn() {
        return tracker.asksForExtensions() && pipeline.get(WebSocketServerExtensionHandler.class) != null;
    }

    private boolean isTakenOver() {
        WebSocketExtensionData agreed = agreed();
        return agreed != null && !agreed.parameters().containsKey(NO_TAKEOVER);
    }

    /** Returns permessage-deflate, with its parameters, if that and nothing else was agreed on; else {@code null}. */
    private WebSocketExtensionData agreed() {
        String extensions = tracker.extensions();
        if (extensions == null) {
            return null;
        }
        List<WebSocketExtensionData> all = WebSocketExtensionUtil.extractExtensions(extensions);
        return all.size() == 1 && all.get(0).name().equals(NAME) ? all.get(0) : null;
    }

    /** Writes the window, or nothing if the next process needs none. */
    void save(ByteBuf out) {
        if (window != null) {
            window.save(out);
        }
    }

    /** Brings a pipeline in which the upgrade was repeated to where it was. */
    void restore(ByteBuf saved) throws IOException {
        ChannelHandlerContext encoder = find(ENCODER);
        if (encoder != null) {
            // What was written meanwhile has not reached the peer.
            DeflateWindow.forget(encoder);
        }
        if (saved.isReadable()) {
            ChannelHandlerContext decoder = find(DECODER);
            if (decoder == null) {
                throw new IOException("the upgrade was repeated with " + tracker.extensions()
                        + ", but there is no handler of Netty that decodes it");
            }
            begun = true;
            window = DeflateWindow.restored(decoder, saved);
        }
    }

    private ChannelHandlerContext find(String className) {
        for (Map.Entry<String, ChannelHandler> e : pipeline) {
            if (e.getValue().getClass().getName().equals(className)) {
                return pipeline.context(e.getKey());
            }
        }
        return null;
    }
}
