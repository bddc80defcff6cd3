package io.escrow.vertx;

import io.netty.channel.AbstractServerChannel;
import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.EventLoop;
import io.netty.channel.ServerChannel;
import io.netty.channel.unix.UnixChannel;
import java.net.SocketAddress;
import java.nio.channels.ClosedChannelException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;

/**
 * Is the server channel that Vert.x gets: at once, because Vert.x asks for it on an event loop and with a lock held, where
 * nobody may wait for the turn in the escrow's queue. When it is bound, a thread of its own waits for the listener; that is
 * bound on the same event loop, and what it accepts or adopts goes through the pipeline of this channel.
 */
final class DeferredServerChannel extends AbstractServerChannel {

    private final ListenerSources sources;
    private final Config config = new Config(this);
    private volatile Channel listener;
    private volatile boolean open = true;

    DeferredServerChannel(ListenerSources sources) {
        this.sources = sources;
        pipeline().addLast("escrow-vertx-bind", new BindHandler());
    }

    /** Makes the listener, which may take as long as the process before runs. */
    private void make(ChannelFactory<? extends ServerChannel> source, SocketAddress address, ChannelPromise bound) {
        ServerChannel made = null;
        try {
            made = source.newChannel();
            ServerChannel listening = made;
            eventLoop().execute(() -> bind(listening, address, bound));
        } catch (Throwable e) {
            if (made != null) {
                made.unsafe().closeForcibly();
            }
            if (!(e instanceof RejectedExecutionException)) {
                bound.tryFailure(e);
            }
        }
    }

    private void bind(ServerChannel made, SocketAddress address, ChannelPromise bound) {
        if (!open) {
            made.unsafe().closeForcibly();
            bound.tryFailure(new ClosedChannelException());
            return;
        }
        made.config().setOptions(config.options);
        made.pipeline().addLast("escrow-vertx", new Forwarder());
        eventLoop().register(made).addListener((ChannelFuture registered) -> {
            if (registered.isSuccess()) {
                // What is registered at the very end of the event loop, Netty does not close.
                eventLoop()
                        .terminationFuture()
                        .addListener(ended -> ((UnixChannel) made).fd().close());
                listener = made;
                made.closeFuture().addListener(closed -> close());
                made.bind(address).addListener((ChannelFuture listening) -> tell(listening, bound));
            } else {
                bound.tryFailure(registered.cause());
            }
        });
    }

    private void tell(ChannelFuture listening, ChannelPromise bound) {
        if (!listening.isSuccess()) {
            bound.tryFailure(listening.cause());
        } else if (bound.trySuccess()) {
            pipeline().fireChannelActive();
        }
    }

    @Override
    protected boolean isCompatible(EventLoop loop) {
        return true;
    }

    @Override
    protected SocketAddress localAddress0() {
        return listener == null ? null : listener.localAddress();
    }

    @Override
    protected void doBind(SocketAddress address) {
        throw new UnsupportedOperationException("bound by the handler of its pipeline");
    }

    @Override
    protected void doBeginRead() {
        // The listener does.
    }

    @Override
    protected void doClose() {
        open = false;
        if (listener != null) {
            listener.close();
        }
    }

    @Override
    public ChannelConfig config() {
        return config;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public boolean isActive() {
        return open && listener != null && listener.isActive();
    }

    private final class BindHandler extends ChannelOutboundHandlerAdapter {

        @Override
        public void bind(ChannelHandlerContext ctx, SocketAddress address, ChannelPromise promise) {
            ChannelFactory<? extends ServerChannel> source = sources.forAddress(address);
            Thread thread = new Thread(() -> make(source, address, promise), "escrow-vertx-listener");
            thread.setDaemon(true);
            thread.start();
        }
    }

    /** Hands what the listener gets to the handlers that Vert.x has given to this channel. */
    private final class Forwarder extends ChannelInboundHandlerAdapter {

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            pipeline().fireChannelRead(msg);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            pipeline().fireExceptionCaught(cause);
        }
    }

    /** Keeps the options for the listener. */
    private static final class Config extends DefaultChannelConfig {

        private final Map<ChannelOption<?>, Object> options = new LinkedHashMap<>();

        Config(DeferredServerChannel channel) {
            super(channel);
        }

        @Override
        public <T> boolean setOption(ChannelOption<T> option, T value) {
            validate(option, value);
            options.put(option, value);
            return true;
        }

        @Override
        public ChannelConfig setAutoRead(boolean autoRead) {
            Channel listener = ((DeferredServerChannel) channel).listener;
            if (listener != null) {
                // After a failed accept the server pauses for a moment.
                listener.config().setAutoRead(autoRead);
            }
            return super.setAutoRead(autoRead);
        }
    }
}
