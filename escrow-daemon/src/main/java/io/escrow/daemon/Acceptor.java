package io.escrow.daemon;

import io.escrow.daemon.events.FailureDetector;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Accepts one client at a time: the next one when the connection of the one before is closed. When another socket takes
 * the place of the one that listens, the clients that wait at the old one come first.
 */
final class Acceptor {

    private static final Logger logger = LoggerFactory.getLogger(Acceptor.class);
    private static final int RETRY_MILLIS = 100;
    private static final int LONGEST_ADDRESS = 110;

    private final EventLoop loop;
    private final FailureDetector failures;
    private final Consumer<EpollDomainSocketChannel> session;
    private final Deque<EpollServerDomainSocketChannel> retired = new ArrayDeque<>();
    private EpollServerDomainSocketChannel listener;
    private boolean serving;
    private boolean paused;
    private Runnable changed = () -> {};

    /**
     * Creates an acceptor.
     *
     * @param session begins a session on a connection, on the event loop
     */
    Acceptor(EventLoop loop, FailureDetector failures, Consumer<EpollDomainSocketChannel> session) {
        this.loop = loop;
        this.failures = failures;
        this.session = session;
    }

    /** Binds a socket that listens, but does not accept yet. */
    ChannelFuture bind(String address, int backlog) {
        return bootstrap(EpollServerDomainSocketChannel::new)
                .option(ChannelOption.SO_BACKLOG, backlog)
                .bind(new DomainSocketAddress(address));
    }

    /** Takes over a socket that listens; does not accept yet. */
    ChannelFuture adopt(Supplier<EpollServerDomainSocketChannel> bound) {
        return bootstrap(bound).register();
    }

    private ServerBootstrap bootstrap(Supplier<EpollServerDomainSocketChannel> channel) {
        return new ServerBootstrap()
                .group(loop)
                .channelFactory(channel::get)
                .option(ChannelOption.AUTO_READ, false)
                .handler(new Retry())
                .childHandler(new Initializer(session));
    }

    /** Sets what is called on the event loop when other sockets are used than before. */
    void whenChanged(Runnable task) {
        changed = task;
    }

    /** Accepts from a socket from now on. */
    void use(Channel socket) {
        loop.execute(failures.guard(() -> {
            if (listener != null) {
                // No longer read by Netty, which would accept from it besides the new one.
                listener.deregister();
                retired.add(listener);
            }
            listener = (EpollServerDomainSocketChannel) socket;
            changed.run();
            loop.execute(failures.guard(this::next));
        }));
    }

    /**
     * Takes the sockets of another daemon over, all of them {@linkplain #adopt adopted}. Does not accept before {@link
     * #resume}.
     *
     * @param current the socket that new clients find
     * @param earlier sockets at which clients may still wait
     */
    void use(Channel current, List<Channel> earlier) {
        paused = true;
        listener = (EpollServerDomainSocketChannel) current;
        earlier.forEach(socket -> retired.add((EpollServerDomainSocketChannel) socket));
    }

    /** Returns the socket that new clients find. */
    EpollServerDomainSocketChannel current() {
        return listener;
    }

    /** Returns the sockets at which clients may still wait. */
    Collection<EpollServerDomainSocketChannel> earlier() {
        return retired;
    }

    /** Accepts no more. Called on the event loop, as are the next methods. */
    ChannelFuture pause() {
        paused = true;
        // Only this change takes back a read that was asked for.
        listener.config().setAutoRead(true);
        listener.config().setAutoRead(false);
        return listener.deregister();
    }

    /** Accepts again, when there is no session. */
    void resume() {
        paused = false;
        if (listener.isRegistered()) {
            next();
        } else {
            loop.register(listener).addListener(f -> next());
        }
    }

    private void next() {
        if (serving || paused || !listener.isOpen()) {
            return;
        }
        while (!retired.isEmpty()) {
            int client = accept(retired.element());
            if (client >= 0) {
                serve(new EpollDomainSocketChannel(client), session);
                return;
            }
            retired.remove().close();
            changed.run();
        }
        listener.read();
    }

    /** Returns a client that waits at a socket; -1 if there is none. */
    private static int accept(EpollServerDomainSocketChannel socket) {
        try {
            return new Socket(socket.fd().intValue()).accept(new byte[LONGEST_ADDRESS]);
        } catch (IOException e) {
            logger.atWarn().setCause(e).log("client not accepted");
            return -1;
        }
    }

    /**
     * Serves a connection that is accepted already.
     *
     * @param begin begins the session on it
     */
    void serve(EpollDomainSocketChannel client, Consumer<EpollDomainSocketChannel> begin) {
        client.pipeline().addLast(new Initializer(begin));
        loop.register(client);
    }

    /** Closes the sockets that listen, and returns when that is done. */
    void close() {
        loop.submit(() -> {
                    retired.forEach(Channel::close);
                    return listener == null ? null : listener.close();
                })
                .syncUninterruptibly();
    }

    private final class Initializer extends ChannelInitializer<EpollDomainSocketChannel> {

        private final Consumer<EpollDomainSocketChannel> begin;

        Initializer(Consumer<EpollDomainSocketChannel> begin) {
            this.begin = begin;
        }

        @Override
        protected void initChannel(EpollDomainSocketChannel client) {
            serving = true;
            // Behind what the session does at its end.
            client.closeFuture()
                    .addListener(f -> loop.execute(failures.guard(() -> {
                        serving = false;
                        next();
                    })));
            begin.accept(client);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) throws Exception {
            failures.check(cause);
            super.exceptionCaught(ctx, cause);
        }
    }

    /** Accepts again after a moment when a client could not be accepted, for example because no descriptor was free. */
    private final class Retry extends ChannelInboundHandlerAdapter {
        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            failures.check(cause);
            logger.atWarn().setCause(cause).log("client not accepted");
            loop.schedule(failures.guard(Acceptor.this::next), RETRY_MILLIS, TimeUnit.MILLISECONDS);
        }
    }
}
