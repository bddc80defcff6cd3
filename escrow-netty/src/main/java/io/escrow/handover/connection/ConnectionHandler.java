package io.escrow.handover.connection;

import io.escrow.handover.protocol.HandoverEvent;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;

/**
 * Stands at the head of a connection's pipeline and lets through what the state of the {@link Connection} allows. Lives on
 * the channel's event loop.
 */
final class ConnectionHandler extends ChannelDuplexHandler {

    static final String NAME = "escrow-connection";

    private final Connection connection;
    private final DeferredEvents deferred;
    private final CrashMark mark;

    ConnectionHandler(Connection connection, DeferredEvents deferred, CrashMark mark) {
        this.connection = connection;
        this.deferred = deferred;
        this.mark = mark;
    }

    Connection connection() {
        return connection;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        connection.attached(ctx);
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        connection.activated();
    }

    /** May be added again, to the same pipeline. */
    @Override
    public boolean isSharable() {
        return true;
    }

    @Override
    public void channelRegistered(ChannelHandlerContext ctx) {
        // The handlers do not notice that the channel is taken off its loop, and comes back.
        if (!connection.state().isMoving()) {
            standFirst(ctx.pipeline());
            ctx.fireChannelRegistered();
        }
    }

    /** Goes back to the head of a pipeline that is built: its initializer may have put a handler first. */
    private void standFirst(ChannelPipeline pipeline) {
        if (pipeline.first() != this) {
            pipeline.remove(this);
            pipeline.addFirst(NAME, this);
        }
    }

    @Override
    public void channelUnregistered(ChannelHandlerContext ctx) {
        if (!connection.state().isMoving()) {
            ctx.fireChannelUnregistered();
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (connection.state().isReading() && !deferred.hasKept()) {
            deferred.readDone();
            mark.read();
            ctx.fireChannelRead(msg);
        } else {
            mark.set();
            deferred.keep(msg);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        if (connection.state().isReading()) {
            ctx.fireChannelReadComplete();
            connection.readCompleted();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == HandoverEvent.DRAINING) {
            connection.goOn();
        }
        if (connection.state().isReading() || connection.state() == ConnectionState.GONE) {
            if (event == ChannelInputShutdownEvent.INSTANCE) {
                connection.fireKept();
            }
            ctx.fireUserEventTriggered(event);
        } else if (event == ChannelInputShutdownEvent.INSTANCE) {
            deferred.peerHungUp();
        } else if (event != ChannelInputShutdownReadComplete.INSTANCE) {
            ctx.fireUserEventTriggered(event);
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (connection.state() != ConnectionState.GONE) {
            ctx.fireChannelWritabilityChanged();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        connection.inactivated();
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        deferred.discard();
    }

    @Override
    public void read(ChannelHandlerContext ctx) {
        if (!ctx.channel().config().isAutoRead()) {
            deferred.read();
        }
        if (!connection.state().isReading()) {
            return;
        }
        if (deferred.hasKept()) {
            // Not at once: no read calls back while it is asked for.
            ctx.executor().execute(() -> {
                if (connection.state().isReading()) {
                    connection.fireKept();
                }
            });
        } else {
            ctx.read();
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (connection.state().isSending()) {
            ctx.flush();
            mark.flushed();
        } else {
            deferred.flush();
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        if (connection.state() == ConnectionState.APART) {
            // The descriptor is on its way to the escrow.
            deferred.close(promise);
        } else if (connection.closedWhileBuilt()) {
            ctx.channel().closeFuture().addListener(f -> promise.trySuccess());
        } else if (connection.state() == ConnectionState.GONE) {
            // It is closed already, or as soon as all writes that were moved are told so.
            ctx.channel().closeFuture().addListener(f -> promise.trySuccess());
        } else {
            if (connection.isEscrowed()) {
                PeerShutdown.beforeClose(ctx.channel());
            }
            ctx.close(promise);
        }
    }
}
