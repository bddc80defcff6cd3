package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http.HttpExpectationFailedEvent;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.WebSocketFrameDecoder;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.util.concurrent.CompletableFuture;

/**
 * Lets whole heads of HTTP/1.1 requests through, and their bodies as they come; after an upgrade, whole frames of a
 * WebSocket. A {@link HttpTracker} behind the codec tells what became of them.
 *
 * <p>What it does not understand it lets through as it comes, and the connection is not moved.
 */
final class HttpGate extends Gate implements HttpTracker.Upgrades {

    private enum Mode {
        HTTP,
        WEB_SOCKET,
        UNKNOWN
    }

    private static final byte[] HTTP_FAREWELL =
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".getBytes(US_ASCII);
    /** A close frame with the status 1012, "service restart". */
    private static final byte[] WEB_SOCKET_FAREWELL = {(byte) 0x88, 2, 1012 >> 8, (byte) 1012};

    private final ChannelHandlerContext decoder;
    private final ChannelHandlerContext encoder;
    private final Guard guard;
    private final HttpTracker tracker = new HttpTracker(this);
    private final HttpFraming requests = new HttpFraming();
    private Framing framing = requests;
    private Mode mode = Mode.HTTP;
    private String whyUnknown;
    private ByteBuf buffer;
    private boolean shut;
    private boolean paused;
    private boolean received;
    private boolean passed;
    private boolean bodyCancelled;
    private Replay replay;

    private HttpGate(ChannelHandlerContext decoder, ChannelHandlerContext encoder, Guard guard) {
        this.decoder = decoder;
        this.encoder = encoder;
        this.guard = guard;
    }

    /** Puts a gate before the HTTP codec, and a tracker behind it; returns {@code null} if the codec is not complete. */
    static Gate install(ChannelHandlerContext first) {
        ChannelPipeline pipeline = first.pipeline();
        ChannelHandlerContext codec = pipeline.context(HttpServerCodec.class);
        ChannelHandlerContext decoder = codec == null ? pipeline.context(HttpRequestDecoder.class) : codec;
        ChannelHandlerContext encoder = codec == null ? pipeline.context(HttpResponseEncoder.class) : codec;
        if (decoder == null || encoder == null) {
            return null;
        }
        HttpGate gate = new HttpGate(decoder, encoder, first.handler() instanceof Guard guard ? guard : null);
        boolean decoderFirst =
                pipeline.names().indexOf(decoder.name()) <= pipeline.names().indexOf(encoder.name());
        pipeline.addBefore((decoderFirst ? decoder : encoder).name(), "escrow-gate", gate);
        pipeline.addAfter((decoderFirst ? encoder : decoder).name(), "escrow-tracker", gate.tracker);
        return gate;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof ByteBuf bytes && mode() != Mode.UNKNOWN) {
            received = true;
            buffer = buffer == null ? bytes : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), buffer, bytes);
            pump(ctx);
            if (shut && buffer != null && buffer.readableBytes() > Framing.MAX_HELD) {
                paused = true;
                ctx.channel().config().setAutoRead(false);
            }
        } else {
            passed = true;
            ctx.fireChannelRead(msg);
        }
    }

    /** Lets through what may go through; an unsuitable end is found by the message that the decoder makes of it. */
    private void pump(ChannelHandlerContext ctx) {
        while (buffer != null && replay == null) {
            if (mode() == Mode.UNKNOWN) {
                pass(ctx, buffer.readableBytes());
                return;
            }
            boolean head = mode == Mode.HTTP && requests.isBetweenMessages();
            int length = framing.next(buffer, !shut);
            if (length == 0) {
                if (head && !shut && buffer.readableBytes() > Framing.MAX_HELD) {
                    giveUp("HTTP with a head longer than " + Framing.MAX_HELD + " bytes");
                    continue;
                }
                return;
            }
            pass(ctx, length);
            if (mode() == Mode.HTTP) {
                compare(head);
            }
        }
    }

    private void pass(ChannelHandlerContext ctx, int length) {
        passed = true;
        ByteBuf bytes = buffer;
        if (length == bytes.readableBytes()) {
            buffer = null;
        } else {
            bytes = bytes.readRetainedSlice(length);
        }
        ctx.fireChannelRead(bytes);
    }

    /** Compares what the decoder has made of some bytes with what they were taken for. */
    private void compare(boolean head) {
        boolean begun = tracker.takeBegun();
        if (tracker.hasFailed()) {
            giveUp("HTTP with a broken request");
        } else if (head != begun) {
            giveUp("HTTP with an unusual request");
        } else if (bodyCancelled) {
            bodyCancelled = false;
        } else if (head && tracker.isReading()) {
            if (tracker.isChunked()) {
                requests.beginChunkedBody();
            } else {
                requests.beginBody(tracker.length());
            }
        } else if (requests.isBetweenMessages() == tracker.isReading()) {
            giveUp("HTTP with an unusual body");
        }
    }

    private void giveUp(String reason) {
        mode = Mode.UNKNOWN;
        whyUnknown = reason;
    }

    /** Returns what the connection speaks now. */
    private Mode mode() {
        if (mode == Mode.HTTP && (tracker.isUpgraded() || decoder.isRemoved())) {
            if (tracker.upgrade().length > 0 && hasWebSocketDecoder()) {
                mode = Mode.WEB_SOCKET;
                framing = new WebSocketFraming();
            } else {
                giveUp("HTTP upgraded to an unknown protocol");
            }
        }
        return mode;
    }

    private boolean hasWebSocketDecoder() {
        for (var e : decoder.pipeline()) {
            if (e.getValue() instanceof WebSocketFrameDecoder) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        // A reader that asks for each read waits for a message, and nothing behind this handler knows of the bytes.
        boolean readOn = received && !passed && !shut && !ctx.channel().config().isAutoRead();
        received = false;
        passed = false;
        ctx.fireChannelReadComplete();
        if (readOn) {
            ctx.read();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == HandoverEvent.HANDED_OVER) {
            release();
        } else if (event == HandoverEvent.DRAINING) {
            open(ctx);
        } else if (event instanceof HttpExpectationFailedEvent && tracker.isReading()) {
            // On its way the head of that request may be: then the body has not begun.
            bodyCancelled = requests.isBetweenMessages();
            if (bodyCancelled || requests.cancelBody()) {
                tracker.cancelBody();
            }
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (replay != null) {
            replay.fail("the connection has ended");
            release();
        }
        shut = false;
        pump(ctx);
        if (buffer != null) {
            // The decoder may have a word to say about half a request.
            pass(ctx, buffer.readableBytes());
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        release();
    }

    private void release() {
        ReferenceCountUtil.release(buffer);
        buffer = null;
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (replay == null) {
            ctx.write(msg, promise);
        } else {
            ReferenceCountUtil.release(msg);
            promise.trySuccess();
        }
    }

    @Override
    String whyImmovable() {
        return switch (mode()) {
            case UNKNOWN -> whyUnknown;
            case HTTP -> tracker.isClosing() ? "HTTP connection that is about to close" : null;
            case WEB_SOCKET -> tracker.isClosing() ? "WebSocket that is about to close" : null;
        };
    }

    @Override
    void shut() {
        shut = true;
    }

    @Override
    void open(ChannelHandlerContext ctx) {
        if (!shut) {
            return;
        }
        shut = false;
        if (buffer != null) {
            pump(ctx);
            channelReadComplete(ctx);
        }
        if (paused) {
            paused = false;
            ctx.channel().config().setAutoRead(true);
        }
    }

    @Override
    boolean hasPaused() {
        return paused;
    }

    @Override
    boolean isAtRest() {
        // An upgrade is done when the HTTP codec has gone.
        return mode() != Mode.UNKNOWN
                && framing.isBetweenMessages()
                && tracker.isIdle()
                && (mode == Mode.HTTP || encoder.isRemoved());
    }

    @Override
    boolean feeds(ChannelHandler handler) {
        return handler == decoder.handler() || handler instanceof WebSocketFrameDecoder;
    }

    @Override
    byte[] held() {
        return buffer == null ? new byte[0] : ByteBufUtil.getBytes(buffer);
    }

    @Override
    byte[] upgrade() {
        return tracker.upgrade();
    }

    @Override
    byte[] farewell() {
        return (mode() == Mode.WEB_SOCKET ? WEB_SOCKET_FAREWELL : HTTP_FAREWELL).clone();
    }

    @Override
    Future<Void> rebuild(ChannelHandlerContext ctx, ByteBuf upgrade) {
        replay = new Replay(ctx, encoder, () -> {
            replay = null;
            pump(ctx);
        });
        return replay.run(upgrade);
    }

    @Override
    public CompletableFuture<Void> beforeAnswer() {
        return guard == null || replay != null || !guard.slot().mayBeFilled() ? null : guard.checkpoint();
    }

    @Override
    public void answered(boolean expected) {
        if (replay != null) {
            replay.answered(expected);
        }
    }
}
