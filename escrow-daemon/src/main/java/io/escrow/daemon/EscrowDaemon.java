package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.codec.Wire;
import io.escrow.daemon.config.Access;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.control.ControlServer;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.kernel.DescriptorCloser;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.NativeTransport;
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
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
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
    private final AtomicBoolean closed = new AtomicBoolean();
    private final HangupDetector hangups = new HangupDetector();
    private final DescriptorCloser closer = new DescriptorCloser(group.next());
    private final EventLog eventLog = new EventLog();
    private final UnclaimedSlots unclaimed;
    private final ControlService service;
    private final ControlServer control;
    private final Sessions sessions;
    private final Acceptor acceptor;
    private final SocketWatch watch;
    private final Mirror mirror = new Mirror();
    private final Succession succession;
    private final CompletableFuture<Throwable> end = new CompletableFuture<>();
    private volatile String address;
    private volatile boolean serving;

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
        this.control = new ControlServer(options, this.access, group, failures, closer);
        this.sessions = new Sessions(
                options,
                this.access,
                socketFile,
                store,
                unclaimed,
                service,
                eventLog,
                hangups,
                closer,
                failures,
                mirror);
        this.acceptor = new Acceptor(group.next(), failures, sessions::begin);
        this.watch = new SocketWatch(List.of(new MainSocket(), control));
        this.succession = new Succession(
                group.next(),
                store,
                sessions,
                new Pause(group.next(), acceptor, sessions, unclaimed, service, control, watch, failures),
                socketFile,
                new SocketList(acceptor, socketFile, () -> address, control),
                service,
                eventLog,
                failures,
                options,
                version(),
                EscrowDaemon::runInBackground,
                mirror);
        service.standby(succession::standby);
        acceptor.whenChanged(succession::socketsChangedNow);
        failures.failure().thenAccept(this::fail);
        succession.successor().thenAccept(pid -> end.complete(null));
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
            prepare(options);
            Access access = access(options, bound);
            SocketFile claimed = bound.isPresent()
                    ? SocketFile.claimBound(options.path(), CLAIM_PATIENCE)
                    : SocketFile.claim(options.path(), options.force(), CLAIM_PATIENCE);
            return listenOrClose(new EscrowDaemon(options, access, claimed), bound);
        }
    }

    /**
     * Starts a daemon that takes the place of the one that serves the path: with all its slots, its sockets, and the
     * session that is on, whose client notices a pause. That daemon ends. If this method fails, that daemon goes on.
     *
     * @param options the configuration; at least with the limits that the client of the session was told, and with room for
     *     all slots. Those about the socket itself have no effect
     * @return the daemon; it serves when this method returns
     * @throws EscrowException if no daemon serves the path, if that one can't be replaced, or if this one can't take
     *     everything over
     */
    public static EscrowDaemon takeOver(DaemonOptions options) throws EscrowException {
        NativeTransport.require();
        prepare(options);
        return follow(options, SocketFile.unclaimed(options.path()), null);
    }

    /**
     * Stands by until it can serve, and serves then. While another daemon serves the path, this process has everything that
     * it has. It serves when that one ends, however it ends. When none serves, this one does, as {@link #start} does. Of
     * several processes that stand by, one follows, and the others wait for their turn.
     *
     * <p>A process that has not everything that clients were told is done never serves a part of it.
     *
     * @param options the configuration; as for {@link #takeOver} and for {@link #start}
     * @param told is told what happens until then
     * @return the daemon; it serves when this method returns
     * @throws EscrowException if it can't run on this machine or at this path, or when none serves the path, and this one
     *     can't be started
     */
    public static EscrowDaemon standBy(DaemonOptions options, StandbyListener told) throws EscrowException {
        NativeTransport.require();
        prepare(options);
        Standby.Ways<EscrowDaemon> ways = new Standby.Ways<>() {
            @Override
            public EscrowDaemon start(SocketFile claimed) throws EscrowException {
                return EscrowDaemon.start(options, claimed);
            }

            @Override
            public EscrowDaemon follow(SocketFile next, StandbyListener listener) throws EscrowException {
                return EscrowDaemon.follow(options, next, listener);
            }
        };
        return new Standby<>(() -> SocketFile.unclaimed(options.path()), ways, told).serve();
    }

    private static EscrowDaemon start(DaemonOptions options, SocketFile claimed) throws EscrowException {
        try (InheritedListener bound = new InheritedListener(options.listener())) {
            EscrowDaemon daemon;
            try {
                Access access = access(options, bound);
                if (bound.isPresent()) {
                    claimed.beginBound(CLAIM_PATIENCE);
                } else {
                    claimed.begin(options.force(), CLAIM_PATIENCE);
                }
                daemon = new EscrowDaemon(options, access, claimed);
            } catch (EscrowException | RuntimeException e) {
                claimed.close();
                throw e;
            }
            return listenOrClose(daemon, bound);
        }
    }

    private static Access access(DaemonOptions options, InheritedListener bound) throws EscrowException {
        return bound.isPresent() ? bound.check(options.path(), options.access()) : options.access();
    }

    private static EscrowDaemon listenOrClose(EscrowDaemon daemon, InheritedListener bound) throws EscrowException {
        try {
            daemon.listen(bound);
            return daemon;
        } catch (EscrowException | RuntimeException e) {
            daemon.close();
            throw e;
        }
    }

    private static void prepare(DaemonOptions options) throws EscrowException {
        SocketFile.checkDirectory(options.path(), new AccessCheck(options.access()));
        StandardDescriptors.occupy();
        Wire.keepsFlags(); // Loads a library now, while it is certain to be there.
    }

    private static EscrowDaemon follow(DaemonOptions options, SocketFile unclaimed, StandbyListener told)
            throws EscrowException {
        EscrowDaemon daemon = new EscrowDaemon(options, options.access(), unclaimed);
        try {
            daemon.listenInPlaceOfAnother(told);
            return daemon;
        } catch (EscrowException | RuntimeException e) {
            daemon.close();
            throw e;
        }
    }

    /** Takes over at once, or, if there is a listener, when the other daemon ends. */
    private void listenInPlaceOfAnother(StandbyListener told) throws EscrowException {
        TakeOver other = new TakeOver(options, group, closer, socketFile, eventLog, store, version(), told != null);
        try {
            other.follow();
            if (told == null) {
                other.prepare(acceptor, service);
            } else {
                told.standingBy(eventLoop(), this::status);
                other.standBy(acceptor, service);
            }
            address = other.address();
            serving = true;
            other.serve(acceptor, sessions, () -> unclaimed.start(Duration.ofMillis(other.millisWithoutSession())));
            listenToOperators(other);
            watch.start();
        } finally {
            other.close();
        }
    }

    private void listenToOperators(TakeOver other) {
        try {
            control.adopt(
                    service,
                    () -> address,
                    succession,
                    other.operators().descriptor(),
                    other.operators().listening().published(),
                    other.metrics());
        } catch (EscrowException e) {
            // What is held must not be lost for it.
            logger.atError().setCause(e).log("operators or monitoring systems can't be served");
        }
    }

    private static void runInBackground(Runnable task) {
        Thread thread = new Thread(task, "escrowd-background");
        thread.setDaemon(true);
        thread.start();
    }

    private void listen(InheritedListener bound) throws EscrowException {
        Channel socket = bound.isPresent() ? adopt(bound) : bind();
        control.listen(service, () -> address, succession, socketFile.ending());
        socketFile.publish(access);
        eventLoop().execute(failures.guard(unclaimed::start));
        acceptor.use(socket);
        serving = true;
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

    /**
     * Allows that another daemon takes the place of this one, when an operator wants it to. By default it is refused: a
     * daemon that is part of another program ends only with that program.
     *
     * @param starter starts another daemon
     */
    public void allowSuccessor(SuccessorStarter starter) {
        succession.allow(starter);
    }

    /**
     * Expects that a process stands by, and complains in the log as long as none does. Without this, it is all the same
     * when none does.
     */
    public void expectStandby() {
        succession.expectStandby();
    }

    /**
     * Hands over to the process that stands by. Blocks for a few seconds at most. Must not be called by the event loop.
     *
     * @return whether it serves now, or will as soon as this process has ended; {@code false} if there is none that has
     *     everything. This daemon must still be closed
     */
    public boolean handOver() {
        return succession.handOver();
    }

    /**
     * Returns the process that has taken the place of this daemon.
     *
     * @return its number, 0 if it is in another container; empty if no process has taken the place of this daemon
     */
    public OptionalInt successor() {
        Integer pid = succession.successor().getNow(null);
        return pid == null ? OptionalInt.empty() : OptionalInt.of(pid);
    }

    /**
     * Waits until the daemon is closed, or another one has taken its place: then it must still be closed.
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
        if (successor().isPresent() || succession.isLeft()) {
            control.drain();
            socketFile.forget();
            sessions.forget();
            acceptor.close();
        } else if (!end.isDone()) {
            acceptor.close();
            control.close();
            sessions.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(LAST_SECONDS, TimeUnit.SECONDS);
        // After the end of the session, which is noted in the lock file.
        socketFile.close();
        if (store.slots() > 0 && serving && successor().isEmpty() && !succession.isLeft()) {
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
            // The lock file that it has opened may not be the one that counts any more.
            succession.restartStandby();
        }
    }
}
