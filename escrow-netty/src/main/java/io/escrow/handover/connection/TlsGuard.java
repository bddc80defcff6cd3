package io.escrow.handover.connection;

import io.escrow.handover.tls.source.PlaintextMeter;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.PendingWriteQueue;
import io.netty.handler.ssl.SniCompletionEvent;
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

        /** Returns whether a close has to wait, and sees to it if so. */
        boolean deferClose(ChannelPromise promise);

        /** Is called when a {@code SniHandler} has put the handler of TLS in its own place. */
        void contextChosen();

        /** Is called when the handlers know that the handshake is done. */
        void handshakeDone();
    }

    /** Marks the connection as in the middle of something. */
    interface Mark {

        /** Is called before anything is encrypted, and before the kernel gets anything. */
        void set();
    }

    private final Owner owner;
    private final Mark mark;

    /** {@code null} if nothing is kept back. */
    private PendingWriteQueue kept;

    private boolean flushWanted;

    TlsGuard(Owner owner, Mark mark) {
        this.owner = owner;
        this.mark = mark;
    }

    private boolean isOpen() {
        return kept == null && owner.isSending();
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (isOpen()) {
            // Before anything is encrypted.
            mark.set();
            ctx.write(msg, promise);
            return;
        }
        if (kept == null) {
            kept = new PendingWriteQueue(ctx);
        }
        kept.add(msg, promise);
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
        return kept == null;
    }

    /** Encrypts what was kept back. */
    void open(ChannelHandlerContext ctx) {
        mark.set();
        if (kept != null) {
            // With what that leads to.
            kept.removeAndWriteAll();
            kept = null;
        }
        if (flushWanted) {
            flushWanted = false;
            ctx.flush();
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        mark.set();
        if (!owner.deferClose(promise)) {
            ctx.close(promise);
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof SniCompletionEvent) {
            owner.contextChosen();
        }
        ctx.fireUserEventTriggered(event);
        if (event instanceof SslHandshakeCompletionEvent completion && completion.isSuccess()) {
            // Many a pipeline is built only now.
            owner.handshakeDone();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        failKept();
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        failKept();
    }

    private void failKept() {
        if (kept != null) {
            kept.removeAndFailAll(new ClosedChannelException());
            kept = null;
        }
    }
}
