package io.escrow.daemon.control;

import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.codec.PacketUpgrade;
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
import io.netty.channel.epoll.EpollDomainSocketChannel;
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
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens for operators on the control socket, and for monitoring systems on a port if one is configured. Serves
 * several connections at a time, on a thread of its own that starts with the first one.
 */
public final class ControlServer implements WatchedSocket, AutoCloseable {

    private static final Logger logger = LoggerFactory.getLogger(ControlServer.class);
    private static final int MAX_REQUEST = 4_096;
    private static final int DRAIN_SECONDS = 2;
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private final DaemonOptions options;
    private final AccessCheck access;
    private final EventLoopGroup listeners;
    private final Path path;
    private final FailureDetector failures;
    private final Executor closer;
    private final EventLoopGroup operators;
    private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private final ChannelGroup connections = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private SocketPublication publication;
    private ControlService service;
    private Supplier<String> mainSocket;
    private Successors successors;
    private Channel socket;
    private Channel metricsPort;

    /**
     * Creates a server that does not listen yet.
     *
     * @param listeners the event loops that accept connections
     * @param failures is told of errors that the daemon can't survive
     * @param closer closes descriptors that come over a link
     */
    public ControlServer(
            DaemonOptions options,
            AccessCheck access,
            EventLoopGroup listeners,
            FailureDetector failures,
            Executor closer) {
        this.options = options;
        this.access = access;
        this.listeners = listeners;
        this.failures = failures;
        this.closer = closer;
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
     * @param successors lets another daemon take the place of this one
     * @param patience how long to wait for either socket while another process listens, because that process may be ending
     * @throws EscrowException if one of the two sockets can't be bound
     */
    public void listen(ControlService service, Supplier<String> mainSocket, Successors successors, Duration patience)
            throws EscrowException {
        use(service, mainSocket, successors);
        checkPath(path, patience);
        bindAndPublish();
        bindMetrics(patience);
    }

    private void use(ControlService service, Supplier<String> mainSocket, Successors successors) {
        this.service = service;
        this.mainSocket = mainSocket;
        this.successors = successors;
    }

    /**
     * Begins to listen at the sockets of another daemon.
     *
     * @param operators the operators' socket, which this object closes
     * @param isPublished whether the operators' socket is at its path
     * @param metrics the socket for monitoring systems, which this object closes; {@code null} if there is none
     * @throws EscrowException if there is none, and none can be bound
     */
    public void adopt(
            ControlService service,
            Supplier<String> mainSocket,
            Successors successors,
            OwnedDescriptor operators,
            boolean isPublished,
            OwnedDescriptor metrics)
            throws EscrowException {
        use(service, mainSocket, successors);
        publication.adopt(isPublished);
        int number = operators.detach().intValue();
        socket = begun(
                operatorsBootstrap(new ServerBootstrap()
                                .channelFactory(() -> new EpollServerDomainSocketChannel(number, true)))
                        .register(),
                path);
        if (metrics != null && options.operators().metrics() != null) {
            int port = metrics.detach().intValue();
            Channel adopted = begun(
                    metricsBootstrap(new ServerBootstrap().channelFactory(() -> new EpollServerSocketChannel(port)))
                            .register(),
                    "the metrics port");
            if (isWanted((InetSocketAddress) adopted.localAddress())) {
                metricsPort = adopted;
                return;
            }
            adopted.close();
        } else if (metrics != null) {
            metrics.release();
        }
        bindMetrics(Duration.ZERO);
    }

    private boolean isWanted(InetSocketAddress address) {
        InetSocketAddress wanted = options.operators().metrics();
        return (wanted.getPort() == 0 || wanted.getPort() == address.getPort())
                && wanted.getAddress().equals(address.getAddress());
    }

    private void bindMetrics(Duration patience) throws EscrowException {
        InetSocketAddress address = options.operators().metrics();
        if (address != null) {
            long start = System.nanoTime();
            ChannelFuture bound = bindMetrics(address);
            while (isInUse(bound) && System.nanoTime() - start < patience.toNanos()) {
                LockSupport.parkNanos(RETRY_NANOS);
                bound = bindMetrics(address);
            }
            metricsPort = begun(bound, address);
            logger.atInfo().addKeyValue("address", metricsPort.localAddress()).log("serving metrics");
        }
    }

    private ChannelFuture bindMetrics(InetSocketAddress address) {
        return metricsBootstrap(new ServerBootstrap().channelFactory(EpollServerSocketChannel::new))
                .bind(address)
                .awaitUninterruptibly();
    }

    private static boolean isInUse(ChannelFuture bound) {
        return !bound.isSuccess() && Futures.statusOf(bound.cause()) == Status.EADDRINUSE;
    }

    private ServerBootstrap metricsBootstrap(ServerBootstrap bootstrap) {
        return bootstrap(bootstrap, new ConnectionLimiter(ConnectionLimiter.FEW, child -> true), new Initializer() {
            @Override
            ChannelHandler handler(Channel channel) {
                return new MetricsHandler(service, mainSocket.get());
            }
        });
    }

    private ServerBootstrap operatorsBootstrap(ServerBootstrap bootstrap) {
        return bootstrap(
                bootstrap,
                new ConnectionLimiter(
                        options.operators().connections(), child -> access.allows(PeerIdentity.of(child))),
                new Initializer() {
                    @Override
                    ChannelHandler handler(Channel channel) {
                        return new ControlHandler(
                                service,
                                mainSocket.get(),
                                access,
                                PeerIdentity.of(channel),
                                new PacketUpgrade((EpollDomainSocketChannel) channel, closer),
                                successors,
                                connections::remove);
                    }
                });
    }

    private void bindAndPublish() throws EscrowException {
        DomainSocketAddress address = new DomainSocketAddress(publication.bindAddress());
        socket = begun(
                operatorsBootstrap(new ServerBootstrap().channelFactory(EpollServerDomainSocketChannel::new))
                        .bind(address),
                address);
        publication.publish(access.access());
    }

    /** Returns the operators' socket. */
    public EpollServerDomainSocketChannel socket() {
        return (EpollServerDomainSocketChannel) socket;
    }

    /** Returns the socket for monitoring systems; {@code null} if there is none. */
    public EpollServerSocketChannel metricsPort() {
        return (EpollServerSocketChannel) metricsPort;
    }

    /** Accepts no more, so that another daemon can. */
    public void pause() {
        listening().forEach(Channel::deregister);
    }

    /** Accepts again. */
    public void resume() {
        listening().filter(channel -> !channel.isRegistered()).forEach(listeners::register);
    }

    private Stream<Channel> listening() {
        return Stream.of(socket, metricsPort).filter(Objects::nonNull);
    }

    /**
     * Lets the answers that are under way be read, but not for long. Another daemon serves already, and has the sockets.
     */
    public void drain() {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(DRAIN_SECONDS);
        while (!connections.isEmpty() && System.nanoTime() < end) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
        operators.shutdownGracefully(0, 1, TimeUnit.SECONDS);
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
        checkPath(path, Duration.ZERO);
        socket.close().syncUninterruptibly();
        closePublication();
        publication = new SocketPublication(path);
        bindAndPublish();
        successors.socketsChanged();
    }

    /**
     * Checks that the path is free, or holds the control socket of a daemon that has ended. The claim of the main
     * socket's path includes this path.
     */
    private static void checkPath(Path path, Duration patience) throws EscrowException {
        try {
            SocketPublication.checkFree(path, patience);
        } catch (EscrowException e) {
            throw new EscrowException(e.status(), e.text() + ", the path of the control socket", e);
        }
    }

    private ServerBootstrap bootstrap(ServerBootstrap bootstrap, ConnectionLimiter gate, Initializer initializer) {
        return bootstrap
                .group(listeners, operators)
                // Accepts one operator at a time, so that clients are served in between.
                .option(ChannelOption.RECVBUF_ALLOCATOR, new ServerChannelRecvByteBufAllocator())
                .handler(gate)
                .childHandler(initializer);
    }

    private Channel begun(ChannelFuture bound, Object address) throws EscrowException {
        bound.awaitUninterruptibly();
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

        abstract ChannelHandler handler(Channel channel);

        @Override
        protected void initChannel(Channel channel) {
            connections.add(channel);
            SessionTimeouts timeouts = options.timeouts();
            channel.pipeline()
                    .addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_REQUEST))
                    .addLast(new WriteTimeoutHandler(timeouts.write().toMillis(), TimeUnit.MILLISECONDS))
                    .addLast(new OneRequestHandler(timeouts.hello()), handler(channel), new LastHandler());
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
