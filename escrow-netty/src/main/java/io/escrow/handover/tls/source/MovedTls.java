package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.MovedEngine;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslCompletionEvent;
import io.netty.handler.ssl.SslHandler;

/** The {@code SslHandler} of a connection that has moved, and what follows it: it may move again. Lives on its event loop. */
public final class MovedTls extends SslHandler implements TlsTracker {

    private final MovedEngine engine;
    private final String applicationProtocol;

    private MovedTls(MovedEngine engine, TlsState state) {
        super(engine);
        this.engine = engine;
        String chosen = state.session().applicationProtocol();
        this.applicationProtocol = chosen.isEmpty() ? null : chosen;
    }

    /** Makes a handler that goes on with a connection. */
    public static MovedTls of(TlsState state) {
        return new MovedTls(new MovedEngine(state), state);
    }

    /** Returns what ALPN has chosen; {@code null} if nothing. */
    @Override
    public String applicationProtocol() {
        return applicationProtocol;
    }

    /** Does not let through how the handler ends that was here before: it was never used. */
    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) throws Exception {
        if (!(event instanceof SslCompletionEvent)) {
            super.userEventTriggered(ctx, event);
        }
    }

    @Override
    public boolean isOf(SslHandler ssl) {
        return ssl == this;
    }

    @Override
    public String whyImmovable(SslHandler ssl) {
        return null;
    }

    @Override
    public String whyBusy(SslHandler ssl) {
        return engine.isAtRest() ? null : "TLS has an alert or a new key to send";
    }

    @Override
    public byte[] received(SslHandler ssl) {
        return ByteBufUtil.getBytes(internalBuffer());
    }

    @Override
    public boolean at(SslHandler ssl, TlsPosition position) {
        return engine.at(position) && actualReadableBytes() == 0;
    }

    @Override
    public TlsState keys(SslHandler ssl) {
        return engine.keys();
    }

    @Override
    public TlsState take(SslHandler ssl) {
        return engine.take();
    }

    @Override
    public void resume() {
        engine.resume();
    }

    @Override
    public void destroy() {
        engine.destroy();
    }
}
