package io.escrow.handover.connection;

import io.escrow.handover.tls.source.PlaintextMeter;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.PendingWriteQueue;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.nio.channels.ClosedChannelException;

/**
 * Stands behind the handler of TLS. What the handlers write while the connection changes hands it keeps back, so that nothing is
 * encrypted with keys that may be another process's. Lives on the channel's event loop.
 */
final class TlsGuard extends PlaintextMeter {

    static final String NAME = "escrow-tls";

    /** The connection. Called on its event loop. */
    interface Owner {

        /** Returns whether what the handlers write goes to the peer. */
        boolean isSending();

        /** Is called before anything is encrypted. */
        void beforeSealing();

        /** Returns whether a close has to wait, and sees to it if so. */
        boolean deferClose(ChannelPromise promise);

        /** Is called when the handlers know that the handshake is done. */
        void handshakeDone();
    }

    private final Owner owner;
    private PendingWriteQueue kept;
    private boolean flushWanted;

    TlsGuard(Owner owner) {
        this.owner = owner;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        kept = new PendingWriteQueue(ctx);
    }

    private boolean isOpen() {
        return owner.isSending() && kept.isEmpty();
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (isOpen()) {
            owner.beforeSealing();
            ctx.write(msg, promise);
        } else {
            kept.add(msg, promise);
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (isOpen()) {
            ctx.flush();
        } else {
            flushWanted = true;
        }
    }

    /** Returns whether nothing is kept back. */
    boolean keepsNothing() {
        return kept.isEmpty();
    }

    /** Encrypts what was kept back. */
    void open(ChannelHandlerContext ctx) {
        owner.beforeSealing();
        kept.removeAndWriteAll();
        if (flushWanted) {
            flushWanted = false;
            ctx.flush();
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        owner.beforeSealing();
        if (!owner.deferClose(promise)) {
            ctx.close(promise);
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        ctx.fireUserEventTriggered(event);
        if (event instanceof SslHandshakeCompletionEvent completion && completion.isSuccess()) {
            // Many a pipeline is built only now.
            owner.handshakeDone();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        kept.removeAndFailAll(new ClosedChannelException());
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        kept.removeAndFailAll(new ClosedChannelException());
    }
}
