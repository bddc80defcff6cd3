package io.escrow.client;

import io.escrow.Limits;
import io.escrow.codec.Frame;
import io.escrow.codec.Wire;
import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollMode;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.ChannelMatchers;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.nio.file.Path;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** Listens, and answers each frame as a test says; no answer when that is {@code null}. */
final class FakeDaemon implements AutoCloseable {

    static final Frame HELLO = new Frame.Hello(Frame.VERSION, Limits.DEFAULT);

    private final EventLoopGroup group = EventLoopGroups.epoll(1);
    private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private final Queue<Frame> received = new ConcurrentLinkedQueue<>();

    @SuppressWarnings("deprecation") // Netty 4.2 has one mode of epoll only
    FakeDaemon(Path path, UnaryOperator<Frame> answers) {
        Channel server = new ServerBootstrap()
                .group(group)
                .channelFactory(EpollServerDomainSocketChannel::new)
                .childOption(EpollChannelOption.EPOLL_MODE, EpollMode.LEVEL_TRIGGERED)
                .childHandler(new ChannelInitializer<EpollDomainSocketChannel>() {
                    @Override
                    protected void initChannel(EpollDomainSocketChannel channel) {
                        channels.add(channel);
                        Wire.install(channel, true, Limits.DEFAULT);
                        channel.pipeline().addLast(new Answering(answers));
                    }
                })
                .bind(new DomainSocketAddress(path.toFile()))
                .syncUninterruptibly()
                .channel();
        channels.add(server);
    }

    /** Lets every client in, and answers nothing else. */
    static FakeDaemon silent(Path path) {
        return new FakeDaemon(path, frame -> frame instanceof Frame.Hello ? HELLO : null);
    }

    /** Returns what was received from all clients. */
    Queue<Frame> received() {
        return received;
    }

    /** Closes the connections of all clients. */
    void hangUp() {
        // Not all at once: the group would then close those that come later, too.
        channels.stream()
                .filter(ChannelMatchers.isNonServerChannel()::matches)
                .forEach(channel -> channel.close().syncUninterruptibly());
    }

    @Override
    public void close() {
        channels.close().syncUninterruptibly();
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private final class Answering extends ChannelInboundHandlerAdapter {

        private final UnaryOperator<Frame> answers;

        Answering(UnaryOperator<Frame> answers) {
            this.answers = answers;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof Frame frame) {
                received.add(frame);
                Frame answer = answers.apply(frame);
                if (answer != null) {
                    ctx.writeAndFlush(answer);
                }
            }
        }
    }
}
