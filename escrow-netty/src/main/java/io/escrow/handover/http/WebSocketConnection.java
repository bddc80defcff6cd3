package io.escrow.handover.http;

import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import io.netty.handler.codec.http.websocketx.WebSocketFrameDecoder;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Lets whole frames of a WebSocket through that was an HTTP/1.1 connection. */
final class WebSocketConnection implements ProtocolConnection {

    /** A close frame with the status 1012, "service restart". */
    private static final byte[] SERVICE_RESTART = {(byte) 0x88, 2, 1012 >> 8, (byte) 1012};

    private final HttpTracker tracker;
    private final ChannelHandlerContext httpEncoder;
    private final ChannelHandler httpDecoder;
    private final WebSocketFraming frames = new WebSocketFraming();

    WebSocketConnection(HttpTracker tracker, ChannelHandlerContext httpEncoder, ChannelHandler httpDecoder) {
        this.tracker = tracker;
        this.httpEncoder = httpEncoder;
        this.httpDecoder = httpDecoder;
    }

    /** Returns whether the frames of a WebSocket are decoded in a pipeline. */
    static boolean isSpokenIn(ChannelPipeline pipeline) {
        for (Map.Entry<String, ChannelHandler> e : pipeline) {
            if (e.getValue() instanceof WebSocketFrameDecoder) {
                return true;
            }
        }
        return false;
    }

    @Override
    public ChannelHandler firstHandler() {
        return httpDecoder;
    }

    @Override
    public int next(ByteBuf in, boolean mayBegin) {
        return frames.next(in, mayBegin);
    }

    @Override
    public boolean feeds(ChannelHandler handler) {
        return handler == httpDecoder || handler == httpEncoder.handler() || handler instanceof WebSocketFrameDecoder;
    }

    @Override
    public String whyImmovable() {
        if (tracker.isExtended()) {
            return "WebSocket with compression";
        }
        return tracker.isClosing() ? "WebSocket that is about to close" : null;
    }

    @Override
    public boolean isAtRest() {
        // The upgrade is done when the HTTP codec has gone.
        return frames.isBetweenMessages() && tracker.isIdle() && httpEncoder.isRemoved();
    }

    @Override
    public void save(ByteBuf out) {
        out.writeBytes(tracker.upgrade());
    }

    @Override
    public byte[] farewell() {
        return SERVICE_RESTART.clone();
    }

    /** Sends Close even between two fragments of a message, and past the compression: control frames may be there. */
    @Override
    public CompletableFuture<Void> end() {
        return tracker.endWebSocket(WebSocketCloseStatus.SERVICE_RESTART);
    }
}
