package io.escrow.handover;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.SocketAddress;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/**
 * Serves as frameworks do that have no {@code ServerBootstrap}: registers and binds server channels by itself, accepts
 * with a handler of its own, keeps connections in a group of their parent, and reads each message on demand.
 */
final class FakeFramework {

    private final EventLoopGroup acceptors;
    private final EventLoopGroup workers;
    private final Consumer<Channel> initializer;
    private final Queue<Channel> held = new ConcurrentLinkedQueue<>();
    private volatile boolean holding;
    private final Map<Channel, ChannelGroup> connections = new ConcurrentHashMap<>();

    /** Serves an echo of length-prefixed records. */
    FakeFramework(EventLoopGroup group) {
        this(group, group, FakeFramework::echo);
    }

    FakeFramework(EventLoopGroup acceptors, EventLoopGroup workers, Consumer<Channel> initializer) {
        this.acceptors = acceptors;
        this.workers = workers;
        this.initializer = initializer;
    }

    static void echo(Channel channel) {
        channel.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new EchoOnDemand());
    }

    /** Makes a server channel, and begins to bind it. */
    ChannelFuture bind(ChannelFactory<? extends ServerChannel> factory, SocketAddress address) {
        Channel server = factory.newChannel();
        ChannelPromise bound = server.newPromise();
        connections.put(server, new DefaultChannelGroup(GlobalEventExecutor.INSTANCE));
        server.pipeline().addLast(new Acceptor());
        acceptors.register(server).addListener(registered -> {
            if (registered.isSuccess()) {
                server.bind(address, bound).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
            } else {
                server.unsafe().closeForcibly();
                bound.setFailure(registered.cause());
            }
        });
        return bound;
    }

    /** Returns the connections that a server channel has given to this framework. */
    ChannelGroup connections(Channel server) {
        return connections.get(server);
    }

    /** Holds connections back from now on, until they are let in. */
    void holdBack() {
        holding = true;
    }

    int heldBack() {
        return held.size();
    }

    void letIn() {
        holding = false;
        held.forEach(this::register);
    }

    private void register(Channel child) {
        workers.register(child).addListener(registered -> {
            if (!registered.isSuccess()) {
                child.unsafe().closeForcibly();
            }
        });
    }

    private final class Acceptor extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            Channel child = (Channel) msg;
            requireNonNull(connections.get(child.parent()), "group of the parent")
                    .add(child);
            child.config().setAutoRead(false);
            child.config().setOption(ChannelOption.SO_KEEPALIVE, true);
            child.pipeline().addLast(new ChannelInitializer<>() {
                @Override
                protected void initChannel(Channel channel) {
                    initializer.accept(channel);
                }
            });
            if (holding) {
                held.add(child);
            } else {
                register(child);
            }
        }
    }

    /** Answers each record with the same, and asks for each read. */
    static final class EchoOnDemand extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            ctx.read();
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            ctx.writeAndFlush(Unpooled.copiedBuffer(msg));
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            ctx.read();
        }
    }
}
