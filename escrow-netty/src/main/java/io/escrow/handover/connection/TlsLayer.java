package io.escrow.handover.connection;

import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.escrow.handover.tls.source.MovedTls;
import io.escrow.handover.tls.source.SslInternals;
import io.escrow.handover.tls.source.TlsSources;
import io.escrow.handover.tls.source.TlsTracker;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.ssl.AbstractSniHandler;
import io.netty.handler.ssl.OptionalSslHandler;
import io.netty.handler.ssl.SniCompletionEvent;
import io.netty.handler.ssl.SslClientHelloHandler;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.Promise;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLSession;

/**
 * The TLS of one connection: why it can't move, its state, and its restoration. Loaded only if the server was told of its TLS, so
 * that {@code netty-handler} is there. Lives on the channel's event loop.
 */
final class TlsLayer {

    private static final String UNFINISHED = "a TLS handshake that is not done";
    private static final String FOREIGN = "TLS with a handler on an executor of its own: add it without one";

    private final Channel channel;

    /** The handler that was there when the pipeline was built. */
    private final ChannelHandler first;

    private final TlsGuard guard;
    private final TlsCounter counter;
    private final boolean onLoop;
    private List<TlsTracker> trackers;

    /** Where the handler of TLS was when it was last looked for. */
    private ChannelHandlerContext found;

    private SslHandler ssl;

    /** Whether its handshake is known to be done. */
    private boolean established;

    /** What follows it; {@code null} if that was not asked, or nothing does. */
    private TlsTracker tracker;

    /** What waits for the handshake of the handler that was replaced; {@code null} if nothing does. */
    private Promise<Channel> handshake;

    private String serverName;
    private TlsTracker taken;

    /** Whether another process may have the connection. */
    private boolean away;

    private TlsLayer(TlsGuard.Owner owner, TlsGuard.Mark mark, ChannelHandlerContext tls) {
        this.channel = tls.channel();
        this.first = tls.handler();
        this.onLoop = tls.executor() == channel.eventLoop();
        this.guard = new TlsGuard(owner, mark);
        this.counter = new TlsCounter(mark);
        channel.pipeline().addAfter(tls.name(), TlsGuard.NAME, guard);
    }

    /** Follows the TLS of a pipeline that is built, and has not read anything; returns {@code null} if it has none. */
    static TlsLayer of(ChannelPipeline pipeline, TlsGuard.Owner owner, TlsGuard.Mark mark, TlsSources sources) {
        ChannelHandlerContext tls = find(pipeline);
        if (tls == null) {
            return null;
        }
        TlsLayer layer = new TlsLayer(owner, mark, tls);
        layer.trackers = sources.follow(tls, layer.guard);
        layer.count();
        return layer;
    }

    /** Counts what comes from the kernel and goes there: without a handler for that, if one of a tracker sees the same. */
    private void count() {
        List<String> names = channel.pipeline().names();
        ChannelHandler next = channel.pipeline().get(names.get(names.indexOf(ConnectionHandler.NAME) + 1));
        for (TlsTracker each : trackers) {
            if (each.tells(counter, next)) {
                return;
            }
        }
        channel.pipeline().addAfter(ConnectionHandler.NAME, TlsCounter.NAME, counter);
    }

    private static ChannelHandlerContext find(ChannelPipeline pipeline) {
        for (Map.Entry<String, ChannelHandler> e : pipeline) {
            if (e.getValue() instanceof SslHandler
                    || e.getValue() instanceof SslClientHelloHandler
                    || e.getValue() instanceof OptionalSslHandler) {
                return pipeline.context(e.getKey());
            }
        }
        return null;
    }

    /**
     * Puts a handler that goes on with a connection in the place of the one that its fresh pipeline has. Nothing is written by
     * that.
     *
     * @param encoded the state
     * @throws IllegalStateException if the pipeline has no handler of TLS, or can't go on
     * @throws IllegalArgumentException if the state is none
     */
    static TlsLayer restore(ChannelPipeline pipeline, TlsGuard.Owner owner, TlsGuard.Mark mark, byte[] encoded) {
        ChannelHandlerContext tls = find(pipeline);
        if (tls == null) {
            throw new IllegalStateException("it is a TLS connection, and its pipeline has no SslHandler");
        }
        if (SslInternals.whyUnknown() != null) {
            throw new IllegalStateException(SslInternals.whyUnknown());
        }
        if (tls.executor() != tls.channel().eventLoop()) {
            throw new IllegalStateException(FOREIGN);
        }
        TlsState state = TlsState.decode(encoded);
        MovedTls moved = MovedTls.of(state);
        TlsLayer layer = new TlsLayer(owner, mark, tls);
        layer.trackers = List.of(moved);
        layer.count();
        layer.replace(tls, moved);
        layer.serverName =
                tls.handler() instanceof AbstractSniHandler ? state.session().serverName() : null;
        state.destroy();
        return layer;
    }

    private void replace(ChannelHandlerContext tls, MovedTls moved) {
        String name = tls.name();
        if (tls.handler() instanceof SslHandler fresh) {
            handshake = SslInternals.takeHandshake(fresh, channel);
            SslInternals.endClose(fresh);
            moved.setCloseNotifyFlushTimeoutMillis(fresh.getCloseNotifyFlushTimeoutMillis());
            moved.setCloseNotifyReadTimeoutMillis(fresh.getCloseNotifyReadTimeoutMillis());
        } else {
            // As SniHandler does.
            name = SslHandler.class.getName();
        }
        if (tls.handler() instanceof AbstractSniHandler<?> sni) {
            SslInternals.cancelTimeout(sni);
        }
        channel.pipeline().replace(tls.handler(), name, moved);
    }

    /** Has the handlers of a restored connection know that its handshake is done. Nothing is written by that. */
    void finishHandshake() throws Exception {
        ChannelHandlerContext ctx = context();
        if (serverName != null) {
            ctx.fireUserEventTriggered(new SniCompletionEvent(serverName.isEmpty() ? null : serverName));
        }
        if (handshake != null) {
            handshake.trySuccess(channel);
            handshake = null;
        }
        // With nothing to encrypt: the guard keeps that back.
        ssl().flush(ctx);
        if (!ssl().handshakeFuture().isSuccess()) {
            throw new IllegalStateException("its TLS does not go on");
        }
    }

    /** Is called when a {@code SniHandler} has chosen a context, and has put the handler of TLS in its own place. */
    void contextChosen() {
        if (ssl() != null) {
            trackers.forEach(each -> each.begins(ssl));
        }
    }

    /** Returns the handler of TLS; {@code null} if it is not there yet. */
    private SslHandler ssl() {
        context();
        return ssl;
    }

    private ChannelHandlerContext context() {
        if (found == null || found.isRemoved()) {
            found = channel.pipeline().context(SslHandler.class);
            ssl = found == null ? null : (SslHandler) found.handler();
            established = false;
            tracker = null;
        }
        return found;
    }

    private TlsTracker tracker() {
        SslHandler present = ssl();
        if (tracker == null && present != null) {
            for (TlsTracker each : trackers) {
                if (tracker == null && each.isOf(present)) {
                    tracker = each;
                } else {
                    each.forget();
                }
            }
            trackers = tracker == null ? List.of() : List.of(tracker);
        }
        return tracker;
    }

    private boolean isEstablished() {
        SslHandler present = ssl();
        // That does not end, and is asked behind each read.
        established =
                established || (present != null && present.handshakeFuture().isSuccess());
        return established;
    }

    /** Returns whether a handler is the one of TLS, or is or was replaced by that. */
    boolean has(ChannelHandler handler) {
        return handler == first || handler == ssl();
    }

    /** Returns why the connection can't be moved, and what to change; {@code null} if it can. */
    String whyImmovable() {
        SslHandler ssl = ssl();
        if (ssl == null && channel.pipeline().context(first) == null) {
            return "a " + first.getClass().getSimpleName()
                    + " has left the pipeline, and in the next process it would begin again";
        }
        if (ssl == null || !ssl.handshakeFuture().isSuccess()) {
            return UNFINISHED;
        }
        if (!onLoop) {
            return FOREIGN;
        }
        if (SslInternals.whyUnknown() != null) {
            return SslInternals.whyUnknown();
        }
        SSLSession session = ssl.engine().getSession();
        if (CipherSuite.of(session.getProtocol(), session.getCipherSuite()).isEmpty()) {
            return session.getProtocol() + " with cipher suite " + session.getCipherSuite()
                    + ": only TLS 1.3 and 1.2 with AES-GCM or ChaCha20-Poly1305 move, so leave others out of the context";
        }
        if (ssl.engine().isOutboundDone()) {
            return "a TLS connection that is about to close";
        }
        TlsTracker tracker = tracker();
        return tracker == null
                ? "TLS of an engine whose keys can't be had ("
                        + ssl.engine().getClass().getSimpleName()
                        + "): give the SslContext to MovableTls.of before its first handshake; it must be of SslProvider.OPENSSL or JDK"
                : tracker.whyImmovable(ssl);
    }

    /** Returns what is half done; {@code null} if nothing is. Asked only if the connection can be moved. */
    String whyBusy() {
        SslHandler ssl = ssl();
        TlsTracker tracker = ssl == null ? null : tracker();
        if (tracker == null) {
            return null;
        }
        return isHandshaking(ssl)
                ? "TLS is in the middle of a handshake, or has something to send: "
                        + ssl.engine().getHandshakeStatus()
                : tracker.whyBusy(ssl);
    }

    /** Returns what counts the bytes of the connection. */
    TlsCounter counter() {
        return counter;
    }

    /**
     * Fills in where the connection is.
     *
     * @return whether it is between two records in both directions, and nothing is half done or waits to be encrypted
     */
    boolean at(TlsPosition position) {
        return isEstablished()
                && !away
                && onLoop
                && SslInternals.whyUnknown() == null
                && SslInternals.isOpen(ssl.engine())
                && guard.keepsNothing()
                && !SslInternals.hasPending(ssl)
                && tracker() != null
                && tracker.at(ssl, position);
    }

    /** Fills in which keys a connection has that can be moved, whatever is half done. */
    void keysAt(TlsPosition position) {
        tracker().at(ssl(), position);
    }

    /** Returns a copy of the keys of a connection that can be moved. */
    TlsState keys() {
        return tracker().keys(ssl());
    }

    private static boolean isHandshaking(SslHandler ssl) {
        HandshakeStatus status = ssl.engine().getHandshakeStatus();
        return status != HandshakeStatus.NOT_HANDSHAKING && status != HandshakeStatus.FINISHED;
    }

    /** Encrypts what was written, and not flushed: then it is among what is to be sent. */
    void encryptPending() {
        try {
            ssl().flush(context());
        } catch (Exception e) {
            throw new IllegalStateException("TLS could not encrypt what was written: " + e, e);
        }
        if (SslInternals.hasPending(ssl())) {
            throw new IllegalStateException("TLS keeps back what was written");
        }
    }

    /**
     * Adds the state of a connection that is at rest and off its loop, and what was received but not decrypted.
     *
     * @param unsent how many bytes are encrypted, and not with the kernel
     */
    void save(ChannelRecord.Builder record, ByteBuf notDecrypted, int unsent) {
        SslHandler ssl = ssl();
        away = true;
        record.put(ChannelRecord.COUNTED, counter.encode(notDecrypted.readableBytes(), unsent));
        ByteBuf received =
                Unpooled.wrappedBuffer(Unpooled.wrappedBuffer(tracker().received(ssl)), notDecrypted);
        byte[] bytes = new byte[received.readableBytes()];
        received.readBytes(bytes);
        record.put(ChannelRecord.UNDECRYPTED, bytes);
        TlsState state = tracker().take(ssl);
        taken = tracker();
        record.put(ChannelRecord.TLS, state.encode());
        state.destroy();
    }

    /** Goes on with what was taken, if it was. */
    void resume() {
        away = false;
        if (taken != null) {
            taken.resume();
            taken = null;
        }
    }

    /** Overwrites the secrets of a connection that is another process's, if they were taken. */
    void destroy() {
        if (taken != null) {
            taken.destroy();
            taken = null;
        }
    }

    /** Lets the handlers write again. */
    void open() {
        guard.open(channel.pipeline().context(guard));
    }

    /** Fires bytes that another process has decrypted. */
    void fireDecrypted(ByteBuf bytes) {
        channel.pipeline().context(guard).fireChannelRead(bytes);
    }

    /** Closes the connection as a handler does. */
    void close(ChannelPromise promise) {
        channel.pipeline().context(guard).close(promise);
    }
}
