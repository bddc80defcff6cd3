package io.escrow.daemon.control;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.SessionTimeouts;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.socket.AccessCheck;
import io.escrow.daemon.socket.SocketPublication;
import io.escrow.daemon.socket.WatchedSocket;
import io.escrow.internal.Futures;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannelRecvByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.timeout.WriteTimeoutHandler;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens for operators on the control socket, and for monitoring systems on a port if one is configured. Serves
 * several connections at a time, on a thread of its own that starts with the first one.
 */
public final class ControlServer implements WatchedSocket, AutoCloseable {

    private static final Logger logger = LoggerFactory.getLogger(ControlServer.class);
    private static final int MAX_REQUEST = 4_096;

    private final DaemonOptions options;
    private final AccessCheck access;
    private final EventLoopGroup listeners;
    private final Path path;
    private final FailureDetector failures;
    private final EventLoopGroup operators;
    private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private final ChannelGroup connections = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private SocketPublication publication;
    private ControlService service;
    private Supplier<String> mainSocket;
    private Channel socket;

    /**
     * Creates a server that does not listen yet.
     *
     * @param listeners the event loops that accept connections
     * @param failures is told of errors that the daemon can't survive
     */
    public ControlServer(
            DaemonOptions options, AccessCheck access, EventLoopGroup listeners, FailureDetector failures) {
        this.options = options;
        this.access = access;
        this.listeners = listeners;
        this.failures = failures;
        this.operators =
                new MultiThreadIoEventLoopGroup(1, failures.threads("escrowd-ctl"), EpollIoHandler.newFactory());
        this.path = SocketPath.control(options.path());
        this.publication = new SocketPublication(path);
    }

    /**
     * Begins to listen.
     *
     * @param service carries out the requests
     * @param mainSocket returns the address to which the clients' socket is bound
     * @throws EscrowException if one of the two sockets can't be bound
     */
    public void listen(ControlService service, Supplier<String> mainSocket) throws EscrowException {
        this.service = service;
        this.mainSocket = mainSocket;
        checkPath(path);
        bindAndPublish();
        InetSocketAddress metrics = options.operators().metrics();
        if (metrics != null) {
            Channel port = bind(
                    new ServerBootstrap().channelFactory(EpollServerSocketChannel::new),
                    metrics,
                    new ConnectionLimiter(ConnectionLimiter.FEW, child -> true),
                    new Initializer() {
                        @Override
                        ChannelHandler handler(PeerIdentity peer) {
                            return new MetricsHandler(service, mainSocket.get());
                        }
                    });
            logger.atInfo().addKeyValue("address", port.localAddress()).log("serving metrics");
        }
    }

    private void bindAndPublish() throws EscrowException {
        socket = bind(
                new ServerBootstrap().channelFactory(EpollServerDomainSocketChannel::new),
                new DomainSocketAddress(publication.bindAddress()),
                new ConnectionLimiter(
                        options.operators().connections(), child -> access.allows(PeerIdentity.of(child))),
                new Initializer() {
                    @Override
                    ChannelHandler handler(PeerIdentity peer) {
                        return new ControlHandler(service, mainSocket.get(), access, peer);
                    }
                });
        publication.publish(access.access());
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public boolean isPublished() {
        return publication.isPublished();
    }

    @Override
    public void publishAgain() throws EscrowException {
        checkPath(path);
        socket.close().syncUninterruptibly();
        closePublication();
        publication = new SocketPublication(path);
        bindAndPublish();
    }

    /**
     * Checks that the path is free, or holds the control socket of a daemon that has ended. The claim of the main
     * socket's path includes this path.
     */
    private static void checkPath(Path path) throws EscrowException {
        try {
            SocketPublication.checkFree(path);
        } catch (EscrowException e) {
            throw new EscrowException(e.status(), e.text() + ", the path of the control socket", e);
        }
    }

    private Channel bind(
            ServerBootstrap bootstrap, SocketAddress address, ConnectionLimiter gate, Initializer initializer)
            throws EscrowException {
        ChannelFuture bound = bootstrap
                .group(listeners, operators)
                // Accepts one operator at a time, so that clients are served in between.
                .option(ChannelOption.RECVBUF_ALLOCATOR, new ServerChannelRecvByteBufAllocator())
                .handler(gate)
                .childHandler(initializer)
                .bind(address)
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new EscrowException(
                    Futures.statusOf(bound.cause()),
                    "the control socket or the metrics port can't be bound to " + address + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        channels.add(bound.channel());
        return bound.channel();
    }

    /** Closes all connections, and removes the control socket. */
    @Override
    public void close() {
        channels.close().syncUninterruptibly();
        connections.close().syncUninterruptibly();
        operators.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        closePublication();
    }

    private void closePublication() {
        try {
            publication.close();
        } catch (IOException e) {
            // The next daemon replaces the file.
            logger.atWarn().setCause(e).log("the control socket can't be removed");
        }
    }

    private abstract class Initializer extends ChannelInitializer<Channel> {

        abstract ChannelHandler handler(PeerIdentity peer);

        @Override
        protected void initChannel(Channel channel) {
            connections.add(channel);
            SessionTimeouts timeouts = options.timeouts();
            channel.pipeline()
                    .addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_REQUEST))
                    .addLast(new WriteTimeoutHandler(timeouts.write().toMillis(), TimeUnit.MILLISECONDS))
                    .addLast(
                            new OneRequestHandler(timeouts.hello()),
                            handler(PeerIdentity.of(channel)),
                            new LastHandler());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) throws Exception {
            failures.check(cause);
            super.exceptionCaught(ctx, cause);
        }
    }

    /** Closes a connection on which something has failed. */
    private final class LastHandler extends ChannelInboundHandlerAdapter {
        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            failures.check(cause);
            ctx.close();
        }
    }
}
