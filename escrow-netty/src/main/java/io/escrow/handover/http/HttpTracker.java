package io.escrow.handover.http;

import io.escrow.handover.protocol.HandoverEvent;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.PendingWriteQueue;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpExpectationFailedEvent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpStatusClass;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.util.ReferenceCountUtil;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.CompletableFuture;

/** Stands right behind the HTTP or WebSocket codec, and keeps account of the messages that come and go. */
final class HttpTracker extends ChannelDuplexHandler {

    static final String NAME = "escrow-tracker";

    /** Is called by a tracker. */
    interface Listener {

        /** Is called before an upgrade is answered; the answer waits for the future, unless it is {@code null}. */
        CompletableFuture<Void> beforeUpgrade();

        /** Is called when a request was answered; {@code asExpected} if with the upgrade that it asked for. */
        void answered(boolean asExpected);

        /** Is called when the answer of an upgrade was written, and not flushed. */
        void upgraded();

        /** Is called when the body that the peer has announced will not be sent. */
        void expectationFailed();
    }

    private final Listener listener;
    private PendingWriteQueue waiting;
    private boolean begun;
    private boolean chunked;
    private long length;
    private boolean reading;
    private boolean failed;
    private int unanswered;
    private boolean headAsked;
    private boolean informational;
    private boolean closing;
    private boolean draining;
    private boolean closeAfterResponse;
    private boolean closeSent;
    private CompletableFuture<Void> webSocketEnded;
    private ChannelHandlerContext ctx;
    private int files;
    private UpgradeRequest upgradeRequest;
    private byte[] upgrade = {};
    private boolean upgraded;
    private boolean upgradeWritten;
    private String extensions;
    private boolean fragmented;
    private MessageKind received = MessageKind.UNKNOWN;
    private MessageKind written = MessageKind.UNKNOWN;

    HttpTracker(Listener listener) {
        this.listener = listener;
    }

    /** Returns whether a request has come since the last call. */
    boolean takeBegun() {
        boolean taken = begun;
        begun = false;
        return taken;
    }

    /** Returns whether the request that has come last has not come completely. */
    boolean isReading() {
        return reading;
    }

    /** Returns whether the body of the last request is chunked. */
    boolean isChunked() {
        return chunked;
    }

    /** Returns the length of the body of the last request; 0 if it is chunked, or the decoder has failed. */
    long length() {
        return length;
    }

    /** Returns whether something came that the decoder could not make sense of. */
    boolean hasFailed() {
        return failed;
    }

    /** Returns whether every request is answered, and nothing that was written has to stay here. */
    boolean isIdle() {
        return unanswered == 0 && files == 0 && !fragmented && waiting == null;
    }

    /** Returns whether the connection will be closed when the last answer is out. */
    boolean isClosing() {
        return closing;
    }

    /** Returns whether a request was answered with another protocol. */
    boolean isUpgraded() {
        return upgraded;
    }

    /** Returns whether the answer of an upgrade has been written; only then it is known what was agreed on. */
    boolean isUpgradeWritten() {
        return upgradeWritten;
    }

    /** Returns the extensions that were agreed on, as they are in the answer; {@code null} if there are none. */
    String extensions() {
        return extensions;
    }

    /** Returns whether the request of the upgrade asks for extensions. */
    boolean asksForExtensions() {
        return upgradeRequest != null && upgradeRequest.asksForExtensions();
    }

    /** Returns the request that has made a WebSocket of the connection; empty if there was none. */
    byte[] upgrade() {
        return upgrade;
    }

    /** Forgets a body that was announced and refused. */
    void cancelBody() {
        reading = false;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    /**
     * Sends a Close frame, unless one was sent. Whatever the handlers send from now on is dropped.
     *
     * @return a future that is done when the peer has answered, or is gone
     */
    CompletableFuture<Void> endWebSocket(WebSocketCloseStatus status) {
        if (webSocketEnded == null) {
            webSocketEnded = new CompletableFuture<>();
            if (!closeSent) {
                closing = true;
                ctx.writeAndFlush(new CloseWebSocketFrame(status.code(), ""));
            }
        }
        return webSocketEnded;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof WebSocketFrame) {
            boolean close = msg instanceof CloseWebSocketFrame;
            closing |= close;
            boolean ended = close && webSocketEnded != null;
            ctx.fireChannelRead(msg);
            if (ended) {
                webSocketEnded.complete(null);
            }
            return;
        }
        if (msg == LastHttpContent.EMPTY_LAST_CONTENT) {
            reading = false;
            ctx.fireChannelRead(msg);
            return;
        }
        if (!received.isOf(msg)) {
            received = MessageKind.of(msg);
        }
        MessageKind kind = received;
        if (kind.isHttp()) {
            failed |= ((HttpObject) msg).decoderResult().isFailure();
            if (kind.isRequest()) {
                begin((HttpRequest) msg);
            }
            if (kind.isLast()) {
                reading = false;
            }
        }
        ctx.fireChannelRead(msg);
    }

    private void begin(HttpRequest request) {
        begun = true;
        reading = true;
        unanswered++;
        // Asked now: the handlers behind may change the headers.
        chunked = HttpUtil.isTransferEncodingChunked(request);
        // Of a broken request the length may be no number.
        length = chunked || failed ? 0 : HttpUtil.getContentLength(request, 0L);
        closing |= !HttpUtil.isKeepAlive(request);
        headAsked |= HttpMethod.HEAD.equals(request.method());
        upgradeRequest = UpgradeRequest.of(request);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof HttpExpectationFailedEvent && reading) {
            listener.expectationFailed();
        } else if (event == HandoverEvent.DRAINING) {
            draining = true;
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (webSocketEnded != null) {
            drop(msg, promise);
        } else if (waiting != null) {
            waiting.add(msg, promise);
        } else if (msg instanceof WebSocketFrame frame) {
            note(frame);
            ctx.write(msg, promise);
        } else {
            if (!written.isOf(msg)) {
                written = MessageKind.of(msg);
            }
            write(ctx, msg, written, promise);
        }
    }

    private void write(ChannelHandlerContext ctx, Object msg, MessageKind kind, ChannelPromise promise) {
        if (kind.isResponse()) {
            HttpResponse response = (HttpResponse) msg;
            if (response.status().code() == HttpResponseStatus.SWITCHING_PROTOCOLS.code()) {
                answerUpgrade(ctx, response, promise);
                return;
            }
            note(response);
        }
        if (kind.isLast()) {
            noteEnd();
        }
        if (closeAfterResponse && unanswered == 0 && kind.isLast()) {
            ctx.write(msg, promise.unvoid()).addListener(f -> ctx.close());
        } else if (kind.isFile()) {
            files++;
            ctx.write(msg, promise.unvoid()).addListener(f -> files--);
        } else {
            ctx.write(msg, promise);
        }
    }

    /** Drops what a handler sends behind a Close frame; of another Close frame, it need not know. */
    private static void drop(Object msg, ChannelPromise promise) {
        ReferenceCountUtil.release(msg);
        if (msg instanceof CloseWebSocketFrame) {
            promise.trySuccess();
        } else {
            promise.tryFailure(new ClosedChannelException());
        }
    }

    private void answerUpgrade(ChannelHandlerContext ctx, HttpResponse answer, ChannelPromise promise) {
        boolean expected = upgradeRequest != null && upgradeRequest.isAnsweredBy(answer);
        if (upgradeRequest != null) {
            upgrade = upgradeRequest.encode(answer);
        }
        upgraded = true;
        CompletableFuture<Void> before = listener.beforeUpgrade();
        if (before == null || !(answer instanceof FullHttpResponse)) {
            if (answer instanceof LastHttpContent) {
                noteEnd();
            }
            ctx.write(answer, promise);
            noteUpgrade(answer);
        } else {
            waiting = new PendingWriteQueue(ctx);
            waiting.add(answer, promise);
            before.whenComplete((nothing, failure) -> ctx.executor().execute(() -> writeWaiting(ctx, answer)));
        }
        listener.answered(expected);
    }

    /** Notes what was agreed on: the extensions are added on the way from here to the codec, or have been before. */
    private void noteUpgrade(HttpResponse answer) {
        extensions = answer.headers().get(HttpHeaderNames.SEC_WEBSOCKET_EXTENSIONS);
        if (upgradeRequest != null) {
            upgrade = upgradeRequest.encode(answer);
        }
        upgradeWritten = true;
        listener.upgraded();
    }

    private void writeWaiting(ChannelHandlerContext ctx, HttpResponse answer) {
        if (waiting != null) {
            PendingWriteQueue queue = waiting;
            waiting = null;
            unanswered--;
            queue.removeAndWriteAll();
            noteUpgrade(answer);
            ctx.flush();
        }
    }

    private void note(HttpResponse response) {
        informational = response.status().codeClass() == HttpStatusClass.INFORMATIONAL;
        if (informational) {
            return;
        }
        if (draining && unanswered <= 1) {
            HttpUtil.setKeepAlive(response, false);
            closeAfterResponse = true;
        }
        closing |= !HttpUtil.isKeepAlive(response) || endsWithConnection(response);
    }

    private void note(WebSocketFrame frame) {
        closeSent |= frame instanceof CloseWebSocketFrame;
        closing |= closeSent;
        fragmented = !frame.isFinalFragment() || (fragmented && isControl(frame));
    }

    private static boolean isControl(WebSocketFrame frame) {
        return frame instanceof CloseWebSocketFrame
                || frame instanceof PingWebSocketFrame
                || frame instanceof PongWebSocketFrame;
    }

    /** Notes that a response is complete. */
    private void noteEnd() {
        if (!informational) {
            unanswered = Math.max(0, unanswered - 1);
            headAsked &= unanswered > 0;
            if (!upgraded) {
                listener.answered(false);
            }
        }
        informational = false;
    }

    /** Returns whether only the end of the connection says where the response ends. */
    private boolean endsWithConnection(HttpResponse response) {
        int code = response.status().code();
        return !headAsked
                && code != HttpResponseStatus.NO_CONTENT.code()
                && code != HttpResponseStatus.NOT_MODIFIED.code()
                && !HttpUtil.isContentLengthSet(response)
                && !HttpUtil.isTransferEncodingChunked(response);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (webSocketEnded != null) {
            webSocketEnded.complete(null);
        }
        if (waiting != null) {
            PendingWriteQueue queue = waiting;
            waiting = null;
            queue.removeAndFailAll(new ClosedChannelException());
        }
        ctx.fireChannelInactive();
    }
}
