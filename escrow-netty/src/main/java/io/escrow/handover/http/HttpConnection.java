package io.escrow.handover.http;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.HttpServerCodec;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;

/**
 * Lets whole heads of HTTP/1.1 requests through, and their bodies as they come. A {@link HttpTracker} behind the codec
 * reports what became of them. After an upgrade, a {@link WebSocketConnection} takes over.
 *
 * <p>Bytes that it does not understand are let through as they come, and the connection is not moved.
 */
final class HttpConnection implements ProtocolConnection, HttpTracker.Listener {

    private static final byte[] SERVICE_UNAVAILABLE =
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".getBytes(US_ASCII);

    private final ProtocolContext context;
    private final ChannelHandlerContext decoder;
    private final ChannelHandlerContext encoder;
    private final ChannelHandler firstHandler;
    private final HttpTracker tracker = new HttpTracker(this);
    private final HttpFraming requests = new HttpFraming();
    private ProtocolConnection successor;
    private String whyUnknown;
    private boolean headPassing;
    private boolean bodyCancelled;
    private UpgradeReplay replay;

    /** The extensions that the answer of a replayed upgrade is to have; {@code null} if none. */
    private String expectedExtensions;

    private HttpConnection(ProtocolContext context, ChannelHandlerContext decoder, ChannelHandlerContext encoder) {
        this.context = context;
        this.decoder = decoder;
        this.encoder = encoder;
        if (decoder.executor() != decoder.channel().eventLoop() || encoder.executor() != decoder.executor()) {
            whyUnknown = "HTTP with a codec on an executor of its own";
        }
        boolean decoderFirst = context.pipeline().names().indexOf(decoder.name())
                <= context.pipeline().names().indexOf(encoder.name());
        this.firstHandler = (decoderFirst ? decoder : encoder).handler();
        context.pipeline().addAfter((decoderFirst ? encoder : decoder).name(), HttpTracker.NAME, tracker);
    }

    /** Puts a tracker behind the HTTP codec; returns {@code null} if the codec is not complete. */
    static HttpConnection recognise(ProtocolContext context) {
        ChannelPipeline pipeline = context.pipeline();
        ChannelHandlerContext codec = pipeline.context(HttpServerCodec.class);
        ChannelHandlerContext decoder = codec == null ? pipeline.context(HttpRequestDecoder.class) : codec;
        ChannelHandlerContext encoder = codec == null ? pipeline.context(HttpResponseEncoder.class) : codec;
        return decoder == null || encoder == null ? null : new HttpConnection(context, decoder, encoder);
    }

    @Override
    public ChannelHandler firstHandler() {
        return firstHandler;
    }

    @Override
    public ProtocolConnection current() {
        if (successor == null && whyUnknown == null && (tracker.isUpgraded() || decoder.isRemoved())) {
            if (tracker.upgrade().length > 0 && WebSocketConnection.isSpokenIn(decoder.pipeline())) {
                successor = new WebSocketConnection(tracker, encoder, decoder.handler());
            } else {
                whyUnknown = "HTTP upgraded to an unknown protocol";
            }
        }
        return successor == null ? this : successor;
    }

    @Override
    public int next(ByteBuf in, boolean mayBegin) {
        if (whyUnknown != null) {
            return in.readableBytes();
        }
        headPassing = requests.isBetweenMessages();
        int length = requests.next(in, mayBegin);
        if (length == 0 && headPassing && mayBegin && in.readableBytes() > MAX_KEPT) {
            whyUnknown = "HTTP with a head longer than " + MAX_KEPT + " bytes";
            return in.readableBytes();
        }
        return length;
    }

    /** Compares what the decoder has made of some bytes with what they were taken for. */
    @Override
    public void passed() {
        if (whyUnknown != null || current() != this) {
            return;
        }
        boolean begun = tracker.takeBegun();
        if (tracker.hasFailed()) {
            whyUnknown = "HTTP with a broken request";
        } else if (headPassing != begun) {
            whyUnknown = "HTTP with an unusual request";
        } else if (bodyCancelled) {
            bodyCancelled = false;
        } else if (headPassing && tracker.isReading()) {
            if (tracker.isChunked()) {
                requests.beginChunkedBody();
            } else {
                requests.beginBody(tracker.length());
            }
        } else if (requests.isBetweenMessages() == tracker.isReading()) {
            whyUnknown = "HTTP with an unusual body";
        }
    }

    @Override
    public boolean feeds(ChannelHandler handler) {
        return handler == decoder.handler() || handler == encoder.handler();
    }

    @Override
    public String whyImmovable() {
        return whyUnknown == null && tracker.isClosing() ? "HTTP connection that is about to close" : whyUnknown;
    }

    @Override
    public boolean isAtRest() {
        return whyUnknown == null && requests.isBetweenMessages() && tracker.isIdle();
    }

    /** Writes the upgrade request of a connection that has not become a WebSocket: its pipeline is that of one. */
    @Override
    public void save(ByteBuf out) {
        out.writeBytes(tracker.upgrade());
    }

    /** Has the upgrade request answered once more: it is what has made a WebSocket of the connection. */
    @Override
    public CompletableFuture<Void> restore(ByteBuf in) {
        ByteBuf upgrade = in.readSlice(new HttpFraming().next(in, true)).copy();
        ByteBuf rest = in.copy();
        expectedExtensions = WebSocketConnection.readExtensions(rest);
        replay = UpgradeReplay.install(context.pipeline(), firstHandler, encoder);
        return replay.run(upgrade)
                .thenCompose(nothing -> {
                    replay = null;
                    return current() instanceof WebSocketConnection webSocket
                            ? webSocket.restore(rest)
                            : CompletableFuture.completedFuture(null);
                })
                .whenComplete((nothing, failure) -> rest.release());
    }

    @Override
    public byte[] farewell() {
        return SERVICE_UNAVAILABLE.clone();
    }

    @Override
    public CompletableFuture<Void> beforeUpgrade() {
        if (replay != null || !context.isEscrowed()) {
            return null;
        }
        CompletableFuture<Void> stored = context.checkpoint();
        // Others take the codec away at once, without which the answer could not be written later.
        return current() instanceof WebSocketConnection ? stored : null;
    }

    @Override
    public void answered(boolean asExpected) {
        if (replay != null) {
            replay.answered(asExpected && Objects.equals(expectedExtensions, tracker.extensions()));
        }
    }

    /** Has the escrow told that the connection can go on after a crash, if that was not known before the answer was made. */
    @Override
    public void upgraded() {
        if (replay == null && context.isEscrowed() && current() instanceof WebSocketConnection webSocket) {
            if (webSocket.isFoundToOutliveCrashes()) {
                context.checkpoint();
            }
        }
    }

    @Override
    public void expectationFailed() {
        // The head of that request may be on its way just now: then its body has not begun.
        bodyCancelled = requests.isBetweenMessages();
        if (bodyCancelled || requests.cancelBody()) {
            tracker.cancelBody();
        }
    }
}
