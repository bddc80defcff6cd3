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
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.events.Statistics;
import io.escrow.daemon.kernel.DescriptorCloser;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.NativeTransport;
import io.escrow.daemon.kernel.OwnConnections;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.socket.AccessCheck;
import io.escrow.daemon.socket.InheritedListener;
import io.escrow.daemon.socket.SocketFile;
import io.escrow.daemon.socket.SocketWatch;
import io.escrow.daemon.socket.WatchedSocket;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.UnclaimedSlots;
import io.escrow.internal.Futures;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps descriptors for other processes. Serves one session at a time; all other clients wait in the listen backlog.
 *
 * <p>Can be embedded in another program: {@code try (EscrowDaemon daemon = EscrowDaemon.start(DaemonOptions.of(path)))
 * { ... }}.
 */
public final class EscrowDaemon implements AutoCloseable {

    private static final Logger logger = LoggerFactory.getLogger(EscrowDaemon.class);
    private static final Duration CLAIM_PATIENCE = Duration.ofSeconds(5);
    private static final long LAST_SECONDS = 10;

    private final DaemonOptions options;
    private final AccessCheck access;
    private final SocketFile socketFile;
    private final Store store;
    private final FailureDetector failures = new FailureDetector();
    private final EventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, failures.threads("escrowd"), EpollIoHandler.newFactory());
    private final ChannelGroup sessions = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private final AtomicBoolean closed = new AtomicBoolean();
    private final HangupDetector hangups = new HangupDetector();
    private final DescriptorCloser closer = new DescriptorCloser(group.next());
    private final EventLog eventLog = new EventLog();
    private final UnclaimedSlots unclaimed;
    private final ControlService service;
    private final ControlServer control;
    private final Acceptor acceptor;
    private final SocketWatch watch;
    private final CompletableFuture<Throwable> end = new CompletableFuture<>();
    private volatile String address;

    private EscrowDaemon(DaemonOptions options, Access access, SocketFile socketFile) {
        this.options = options;
        this.access = new AccessCheck(access);
        this.socketFile = socketFile;
        this.store = new Store(options.limits().tags(), options.storeLimits());
        this.unclaimed = new UnclaimedSlots(
                store,
                options.unclaimed(),
                options.limits().farewell(),
                group.next(),
                EscrowDaemon::runInBackground,
                hangups,
                eventLog,
                failures);
        this.service = new ControlService(group.next(), options, store, eventLog, failures, version());
        this.control = new ControlServer(options, this.access, group, failures);
        this.acceptor = new Acceptor(group.next(), failures, this::beginSession);
        this.watch = new SocketWatch(List.of(new MainSocket(), control));
        failures.failure().thenAccept(this::fail);
    }

    /**
     * Starts a daemon.
     *
     * @param options its configuration
     * @return the daemon; clients can connect to it when this method returns
     * @throws EscrowException if it can't run on this machine or at this path
     */
    public static EscrowDaemon start(DaemonOptions options) throws EscrowException {
        NativeTransport.require();
        try (InheritedListener bound = new InheritedListener(options.listener())) {
            SocketFile.checkDirectory(options.path(), new AccessCheck(options.access()));
            occupyStandardDescriptors();
            Wire.keepsFlags(); // Loads a library now, while it is certain to be there.
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
        return bound.isPresent()
                ? new EscrowDaemon(
                        options, bound.check(path, options.access()), SocketFile.claimBound(path, CLAIM_PATIENCE))
                : new EscrowDaemon(options, options.access(), SocketFile.claim(path, options.force(), CLAIM_PATIENCE));
    }

    private static void runInBackground(Runnable task) {
        Thread thread = new Thread(task, "escrowd-background");
        thread.setDaemon(true);
        thread.start();
    }

    /**
     * Opens /dev/null until 0, 1 and 2 are open: a descriptor received with number 0 would be taken for the end of
     * file.
     */
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
        Channel socket = bound.isPresent() ? adopt(bound) : bind();
        control.listen(service, () -> address);
        socketFile.publish(access);
        eventLoop().execute(failures.guard(unclaimed::start));
        acceptor.use(socket);
        watch.start();
    }

    /** Serves a socket that is already bound. */
    private Channel adopt(InheritedListener bound) throws EscrowException {
        address = bound.path().toString();
        return listening(
                acceptor.adopt(() -> new EpollServerDomainSocketChannel(bound.take(), true)),
                "the inherited socket at \"" + options.path() + "\" can't be used");
    }

    /** Binds a socket to an address which is not the path yet. */
    private Channel bind() throws EscrowException {
        address = socketFile.bindAddress();
        return listening(
                acceptor.bind(address, options.backlog()), "no socket can be bound for \"" + options.path() + "\"");
    }

    private static Channel listening(ChannelFuture socket, String complaint) throws EscrowException {
        if (!socket.awaitUninterruptibly().isSuccess()) {
            throw new EscrowException(
                    Futures.statusOf(socket.cause()),
                    complaint + ": " + socket.cause().getMessage(),
                    socket.cause());
        }
        return socket.channel();
    }

    private void beginSession(EpollDomainSocketChannel channel) {
        sessions.add(channel);
        // Bounds the answers that are not sent, which may hold the last reference to a descriptor, to those of one
        // packet.
        channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(1, 1));
        // When a client has gone, its requests are still carried out, although they can't be answered.
        channel.config().setAutoClose(false);
        Wire wire = Wire.install(channel, true, options.limits(), closer);
        if (options.verbose()) {
            channel.pipeline().addLast(new Tracer(System.err));
        }
        PeerIdentity peer = PeerIdentity.of(channel);
        if (!access.allows(peer)) {
            // At once, without reading anything: a client without access must not delay the others.
            channel.config().setAutoRead(false);
            channel.eventLoop().execute(() -> refuse(channel, peer));
            return;
        }
        unclaimed.stop();
        SessionRecord sessionRecord = new SessionRecord(eventLog, channel, peer);
        service.setSession(sessionRecord);
        channel.closeFuture()
                .addListener(f -> failures.guard(() -> {
                            socketFile.holder(0);
                            service.setSession(null);
                            sessionRecord.ended();
                            unclaimed.start();
                        })
                        .run());
        channel.pipeline()
                .addLast(
                        new SessionWatchdog(options.timeouts(), wire::received),
                        new ClosingPace(store, options.storeLimits().descriptors(), closer),
                        new Session(
                                store,
                                options.limits(),
                                hangups,
                                new OwnConnections(channel),
                                sessionRecord,
                                failures));
        socketFile.holder(peer.pid());
    }

    private void refuse(Channel channel, PeerIdentity peer) {
        eventLog.statistics().happened(Statistics.Incident.REFUSED, 1);
        eventLog.warn("client refused", peer.details());
        channel.writeAndFlush(new Frame.Reply(
                        Status.EACCES, peer + ": no access; see --allow-user and --allow-group of escrowd"))
                .addListener(ChannelFutureListener.CLOSE);
    }

    /**
     * Waits until the daemon is closed.
     *
     * @throws IllegalStateException if it can't go on, because an event loop has ended or code can't be loaded any more;
     *     nobody can connect to it then, and it must still be closed
     */
    public void join() {
        Throwable failure = end.join();
        if (failure != null) {
            throw new IllegalStateException("escrowd can't go on: " + failure, failure);
        }
    }

    /** Makes room for another daemon: no client shall wait for this one. */
    private void fail(Throwable failure) {
        socketFile.close();
        end.complete(failure);
    }

    /**
     * Returns the event loop that serves all clients. A task that blocks it blocks the daemon.
     *
     * @return the event loop
     */
    public EventLoop eventLoop() {
        return group.next();
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
     * Ends the session, closes every descriptor, and removes the socket unless another process has bound it. Returns
     * when that is done; further calls do nothing.
     */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        failures.ending();
        watch.close();
        if (!end.isDone()) {
            acceptor.close();
            control.close();
            // An event loop group that is shut down without a quiet period may leave its channels open.
            sessions.close().syncUninterruptibly();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(LAST_SECONDS, TimeUnit.SECONDS);
        // After the end of the session, which is noted in the lock file.
        socketFile.close();
        if (store.slots() > 0) {
            logger.atWarn().addKeyValue("slots", store.slots()).log("slots dropped");
        }
        store.close();
        closer.close();
        hangups.close();
        end.complete(null);
    }

    /** The socket of the clients. */
    private final class MainSocket implements WatchedSocket {
        @Override
        public Path path() {
            return options.path();
        }

        @Override
        public boolean isPublished() {
            return socketFile.isPublished();
        }

        @Override
        public void publishAgain() throws EscrowException {
            if (socketFile.claimAgain(access)) {
                Channel socket = bind();
                try {
                    socketFile.publish(access);
                } catch (EscrowException e) {
                    socket.close();
                    throw e;
                }
                acceptor.use(socket);
            }
        }
    }
}
