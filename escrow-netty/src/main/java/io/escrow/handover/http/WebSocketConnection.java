package io.escrow.handover.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import io.netty.handler.codec.http.websocketx.WebSocketFrameDecoder;
import java.util.concurrent.CompletableFuture;

/** Lets whole frames of a WebSocket through that was an HTTP/1.1 connection. */
final class WebSocketConnection implements ProtocolConnection {

    /** A close frame with the status 1012, "service restart". */
    private static final byte[] SERVICE_RESTART = {(byte) 0x88, 2, 1012 >> 8, (byte) 1012};

    private final HttpTracker tracker;
    private final ChannelHandlerContext httpEncoder;
    private final ChannelHandler httpDecoder;
    private final WebSocketFraming frames = new WebSocketFraming();
    private final WebSocketDeflate deflate;

    WebSocketConnection(HttpTracker tracker, ChannelHandlerContext httpEncoder, ChannelHandler httpDecoder) {
        this.tracker = tracker;
        this.httpEncoder = httpEncoder;
        this.httpDecoder = httpDecoder;
        this.deflate = new WebSocketDeflate(tracker, httpEncoder);
    }

    /** Returns whether the frames of a WebSocket are decoded in a pipeline. */
    static boolean isSpokenIn(ChannelPipeline pipeline) {
        for (String name : pipeline.names()) {
            if (pipeline.get(name) instanceof WebSocketFrameDecoder) {
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
        int length = frames.next(in, mayBegin);
        if (frames.isCompressed()) {
            deflate.beforeMessage();
        }
        return length;
    }

    @Override
    public boolean feeds(ChannelHandler handler) {
        return handler == httpDecoder
                || handler == httpEncoder.handler()
                || handler instanceof WebSocketFrameDecoder
                || WebSocketDeflate.isCoder(handler);
    }

    @Override
    public String whyImmovable() {
        return tracker.isClosing() ? "WebSocket that is about to close" : deflate.whyImmovable();
    }

    @Override
    public String whyLostInCrash() {
        return deflate.whyLostInCrash();
    }

    /** Returns whether it was not known before the answer that the connection can go on after a crash, and is now. */
    boolean isFoundToOutliveCrashes() {
        return deflate.mightHaveBeenAgreedOn() && whyLostInCrash() == null;
    }

    @Override
    public boolean isAtRest() {
        // The upgrade is done when the HTTP codec has gone.
        return frames.isBetweenMessages() && tracker.isIdle() && httpEncoder.isRemoved();
    }

    @Override
    public void save(ByteBuf out) {
        out.writeBytes(tracker.upgrade());
        if (tracker.extensions() != null) {
            out.writeCharSequence(tracker.extensions() + "\r\n", ISO_8859_1);
            deflate.save(out);
        }
    }

    /** Reads what {@link #save} has written behind the request: the extensions; {@code null} if there are none. */
    static String readExtensions(ByteBuf in) {
        int length = in.bytesBefore((byte) '\r');
        if (length < 0) {
            return null;
        }
        String extensions = in.readCharSequence(length, ISO_8859_1).toString();
        in.skipBytes(2);
        return extensions;
    }

    /** Restores what {@link #save} has written behind the extensions. */
    @Override
    public CompletableFuture<Void> restore(ByteBuf in) {
        try {
            deflate.restore(in);
            return CompletableFuture.completedFuture(null);
        } catch (Exception e) {
            return CompletableFuture.failedFuture(e);
        }
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
