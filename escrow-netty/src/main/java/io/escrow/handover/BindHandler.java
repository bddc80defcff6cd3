package io.escrow.handover;

import io.escrow.internal.EventLoops;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Stands first in the pipeline of a framework's server channel, and does what the framework asks for when the server is
 * ready for it: binds when the address is compared with what was adopted, accepts when the connections are adopted, and
 * closes when no handover needs the socket. Lives on the channel's event loop, unless a method says otherwise.
 */
final class BindHandler extends ChannelOutboundHandlerAdapter {

    static final String NAME = "escrow-bind";

    /** What the framework has asked for. */
    private record Bind(ChannelHandlerContext ctx, SocketAddress address, ChannelPromise promise) {}

    private final CompletableFuture<Bind> asked = new CompletableFuture<>();
    private final List<ChannelPromise> closes = new ArrayList<>();
    private boolean accepting;
    private boolean readWanted;
    private volatile boolean handingOver;
    private boolean gone;

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        // The framework may end its event loops at any time, also before it binds.
        EventLoops.closeWithLoop(ctx.channel());
    }

    /** Returns a future of the address that the framework asks for. By any thread. */
    CompletableFuture<SocketAddress> asked() {
        return asked.thenApply(Bind::address);
    }

    /** Returns whether the framework has asked, or can't any more. By any thread. */
    boolean isAsked() {
        return asked.isDone();
    }

    @Override
    public void bind(ChannelHandlerContext ctx, SocketAddress localAddress, ChannelPromise promise) {
        if (!asked.complete(new Bind(ctx, localAddress, promise))) {
            if (asked.isCompletedExceptionally()) {
                asked.whenComplete((bind, failure) -> promise.tryFailure(failure));
            } else {
                promise.tryFailure(new IllegalStateException(ctx.channel() + " is being bound, or is bound already"));
            }
        }
    }

    /** Binds the channel, which has a fresh socket; the framework is not told yet. By the thread of the start. */
    ChannelFuture bind(SocketAddress address) {
        ChannelHandlerContext ctx = asked.join().ctx();
        ChannelPromise bound = ctx.newPromise();
        ctx.executor().execute(() -> ctx.bind(address, bound));
        return bound;
    }

    /** Completes the bind that the framework has asked for. By any thread. */
    void tellBound() {
        asked.join().promise().trySuccess();
    }

    /** Fails the bind, now or when the framework asks for it, unless it was completed before. By any thread. */
    void tellFailure(Throwable failure) {
        if (!asked.completeExceptionally(failure) && !asked.isCompletedExceptionally()) {
            asked.join().promise().tryFailure(failure);
        }
    }

    @Override
    public void read(ChannelHandlerContext ctx) {
        if (accepting) {
            ctx.read();
        } else {
            readWanted = true;
        }
    }

    /** Accepts from now on, when the framework wants it. By any thread. */
    void accept() {
        ChannelHandlerContext ctx = asked.join().ctx();
        ctx.executor().execute(() -> {
            accepting = true;
            if (readWanted) {
                ctx.read();
            }
        });
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        if (gone) {
            promise.trySuccess();
        } else if (handingOver) {
            closes.add(promise);
        } else {
            ctx.close(promise);
        }
    }

    /** Keeps the socket open from now on, whatever the framework does. By any thread. */
    void beginHandover() {
        handingOver = true;
    }

    /** Returns whether the framework wanted to close the channel meanwhile. */
    boolean endHandover() {
        handingOver = false;
        return !closes.isEmpty();
    }

    /** Closes the channel, as the framework wanted to. */
    void closeNow() {
        ChannelHandlerContext ctx = asked.join().ctx();
        ctx.close().addListener(f -> tellClosed());
    }

    /** Completes each close: the socket is another process's. */
    void letGo() {
        gone = true;
        tellClosed();
    }

    private void tellClosed() {
        closes.forEach(ChannelPromise::trySuccess);
        closes.clear();
    }
}
