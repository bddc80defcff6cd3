package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.Tracer;
import io.escrow.codec.Wire;
import io.escrow.daemon.config.Access;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.control.ControlServer;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.events.Statistics;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.NativeTransport;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.socket.AccessCheck;
import io.escrow.daemon.socket.InheritedListener;
import io.escrow.daemon.socket.SocketFile;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.UnclaimedSlots;
import io.escrow.internal.Futures;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps descriptors for other processes: serves one session at a time, while everybody else waits in the listen backlog.
 *
 * <p>Can be embedded: {@code try (EscrowDaemon daemon = EscrowDaemon.start(DaemonOptions.of(path))) { ... }}.
 */
public final class EscrowDaemon implements AutoCloseable {

    private static final Logger logger = LoggerFactory.getLogger(EscrowDaemon.class);
    private static final int ACCEPT_RETRY_MILLIS = 100;
    private static final Duration CLAIM_PATIENCE = Duration.ofSeconds(5);

    private final DaemonOptions options;
    private final AccessCheck access;
    private final SocketFile socketFile;
    private final Store store;
    private final EventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("escrowd", true), EpollIoHandler.newFactory());
    private final ChannelGroup sessions = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private final AtomicBoolean closed = new AtomicBoolean();
    private final HangupDetector peers = new HangupDetector();
    private final EventLog journal = new EventLog();
    private final UnclaimedSlots vacancy;
    private final ControlService desk;
    private final ControlServer control;
    private Channel server;

    private EscrowDaemon(DaemonOptions options, Access access, SocketFile socketFile) {
        this.options = options;
        this.access = new AccessCheck(access);
        this.socketFile = socketFile;
        this.store = new Store(options.limits().tags(), options.storeLimits());
        this.vacancy = new UnclaimedSlots(
                store,
                options.unclaimed(),
                options.limits().farewell(),
                group.next(),
                EscrowDaemon::runInBackground,
                peers,
                journal);
        this.desk = new ControlService(group.next(), options, store, journal, version());
        this.control = new ControlServer(options, this.access, group);
    }

    /**
     * Starts a daemon.
     *
     * @param options how it runs
     * @return the daemon, which can be connected to when this returns
     * @throws EscrowException if it can't run on this machine or at this path
     */
    public static EscrowDaemon start(DaemonOptions options) throws EscrowException {
        NativeTransport.require();
        try (InheritedListener bound = new InheritedListener(options.listener())) {
            SocketFile.checkDirectory(options.path(), new AccessCheck(options.access()));
            occupyStandardDescriptors();
            EscrowDaemon daemon = claim(options, bound);
            try {
                daemon.listen(bound);
                return daemon;
            } catch (EscrowException | RuntimeException e) {
                daemon.close();
                throw e;
            }
        }
    }

    private static EscrowDaemon claim(DaemonOptions options, InheritedListener bound) throws EscrowException {
        Path path = options.path();
        return bound.isThere()
                ? new EscrowDaemon(
                        options, bound.check(path, options.access()), SocketFile.claimBound(path, CLAIM_PATIENCE))
                : new EscrowDaemon(options, options.access(), SocketFile.claim(path, options.force(), CLAIM_PATIENCE));
    }

    private static void runInBackground(Runnable task) {
        Thread thread = new Thread(task, "escrowd-background");
        thread.setDaemon(true);
        thread.start();
    }

    /** Makes sure that 0, 1 and 2 are open: a descriptor received as number 0 would be taken for the end of file. */
    private static void occupyStandardDescriptors() throws EscrowException {
        try {
            FileDescriptor filler;
            do {
                filler = FileDescriptor.from("/dev/null");
            } while (filler.intValue() <= 2);
            filler.close();
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "/dev/null can't be opened: " + e, e);
        }
    }

    private void listen(InheritedListener bound) throws EscrowException {
        control.listen(desk, bound.isThere() ? adopt(bound) : bind());
        socketFile.publish(access);
        server.eventLoop().execute(vacancy::begin);
        server.read();
    }

    /** Serves a socket that is bound; returns its address. */
    private String adopt(InheritedListener bound) throws EscrowException {
        String address = bound.path().toString();
        ChannelFuture registered = bootstrap()
                .channelFactory(() -> new EpollServerDomainSocketChannel(bound.take(), true))
                .register()
                .awaitUninterruptibly();
        if (!registered.isSuccess()) {
            throw new EscrowException(
                    Futures.statusOf(registered.cause()),
                    "the inherited socket at \"" + options.path() + "\" can't be used: "
                            + registered.cause().getMessage(),
                    registered.cause());
        }
        server = registered.channel();
        return address;
    }

    /** Binds a socket; returns its address, which is not the path yet. */
    private String bind() throws EscrowException {
        String address = socketFile.bindAddress();
        ChannelFuture bound = bootstrap()
                .channelFactory(EpollServerDomainSocketChannel::new)
                .option(ChannelOption.SO_BACKLOG, options.backlog())
                .bind(new DomainSocketAddress(address))
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new EscrowException(
                    Futures.statusOf(bound.cause()),
                    "no socket can be bound for \"" + options.path() + "\": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        server = bound.channel();
        return address;
    }

    private ServerBootstrap bootstrap() {
        return new ServerBootstrap()
                .group(group)
                // Nothing is accepted before the session that is on has ended.
                .option(ChannelOption.AUTO_READ, false)
                .handler(new AcceptRetry())
                .childHandler(new ChannelInitializer<EpollDomainSocketChannel>() {
                    @Override
                    protected void initChannel(EpollDomainSocketChannel channel) {
                        beginSession(channel);
                    }
                });
    }

    private void beginSession(EpollDomainSocketChannel channel) {
        sessions.add(channel);
        // Answers that are not sent yet may be the last to hold descriptors: those of one packet at most.
        channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(1, 1));
        // A client that is gone can't be answered; what it has asked for is still carried out.
        channel.config().setAutoClose(false);
        Wire wire = Wire.install(channel, true, options.limits());
        if (options.verbose()) {
            channel.pipeline().addLast(new Tracer(System.err));
        }
        channel.closeFuture().addListener(f -> {
            socketFile.holder(0);
            server.read();
        });
        PeerIdentity peer = PeerIdentity.of(channel);
        if (!access.allows(peer)) {
            // At once, whatever it says: who may not come in must not keep the others waiting either.
            channel.config().setAutoRead(false);
            channel.eventLoop().execute(() -> refuse(channel, peer));
            return;
        }
        vacancy.end();
        SessionRecord visit = new SessionRecord(journal, channel, peer);
        desk.visit(visit);
        channel.closeFuture().addListener(f -> {
            desk.visit(null);
            visit.ended();
            vacancy.begin();
        });
        channel.pipeline()
                .addLast(
                        new SessionWatchdog(options.timeouts(), wire::received),
                        new Session(store, options.limits(), peers, visit));
        socketFile.holder(peer.pid());
    }

    private void refuse(Channel channel, PeerIdentity peer) {
        journal.statistics().happened(Statistics.Incident.REFUSED, 1);
        journal.warn("client refused", peer.details());
        channel.writeAndFlush(new Frame.Reply(
                        Status.EACCES,
                        peer + ": not let in; escrowd has --allow-user and --allow-group for others than its own user"))
                .addListener(ChannelFutureListener.CLOSE);
    }

    /** Waits until the daemon is closed. */
    public void join() {
        server.closeFuture().syncUninterruptibly();
    }

    /**
     * Returns the event loop that serves all clients. A task that blocks it blocks the daemon.
     *
     * @return the event loop
     */
    public EventLoop eventLoop() {
        return server.eventLoop();
    }

    /**
     * Returns what the daemon holds. Must be called on the {@link #eventLoop()}.
     *
     * @return the status of this moment
     */
    public DaemonStatus status() {
        return new DaemonStatus(store.slots(), store.descriptors(), !sessions.isEmpty());
    }

    /**
     * Returns the version of the daemon.
     *
     * @return the version in the manifest of its jar
     */
    public static String version() {
        String version = EscrowDaemon.class.getPackage().getImplementationVersion();
        return version == null ? "(not packaged)" : version;
    }

    /**
     * Ends the session, closes every descriptor and removes the socket, unless somebody else has bound it. Returns when it
     * is done; does nothing the second time.
     */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        if (server != null) {
            server.close().syncUninterruptibly();
        }
        control.close();
        // A group that is shut down without a quiet period may leave its channels open.
        sessions.close().syncUninterruptibly();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        // Behind the end of the session, which is noted in the lock file.
        socketFile.close();
        if (store.slots() > 0) {
            logger.atWarn().addKeyValue("slots", store.slots()).log("slots dropped");
        }
        store.close();
        peers.close();
    }

    /** Accepts again after a moment when a connection could not be accepted, for want of descriptors for instance. */
    private static final class AcceptRetry extends ChannelInboundHandlerAdapter {
        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            logger.atWarn().setCause(cause).log("accepting a client failed");
            ctx.executor().schedule(() -> ctx.channel().read(), ACCEPT_RETRY_MILLIS, TimeUnit.MILLISECONDS);
        }
    }
}
