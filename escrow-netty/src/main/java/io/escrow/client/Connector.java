package io.escrow.client;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.Tracer;
import io.escrow.codec.Wire;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Errors;
import io.netty.handler.codec.DecoderException;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes one connection: tries until a daemon listens and it is this client's turn, or the time has passed. Starts a
 * daemon if the options say so. Runs on one event loop.
 */
final class Connector<T> {

    private static final Logger logger = LoggerFactory.getLogger(Connector.class);

    /** Makes the client of an open session. */
    interface ClientFactory<T> {

        /**
         * Makes a client, on the event loop of the session.
         *
         * @param ownGroup the event loops that end with the client; {@code null} if they are not its own
         */
        T make(Connection session, EventLoopGroup ownGroup);
    }

    private static final String NO_ANSWER = "no answer";
    private static final int EACCES = -13;
    private static final int ENFILE = -23;
    private static final int EMFILE = -24;
    private static final long RETRY_MILLIS = 20;
    private static final long LONGEST_RETRY_MILLIS = 500;

    private final ConnectOptions options;
    private final ClientFactory<T> clients;
    private final Path path;
    private final Duration limit;
    private final EventLoopGroup ownGroup;
    private final EventLoop loop;
    /** Whether there was a session before: then a daemon is expected, also if none listens just now. */
    private final boolean again;

    private final CompletableFuture<T> result = new CompletableFuture<>();
    private boolean mayUseBatches;
    private boolean launched;
    private final Patience patience;
    private long reported;
    private boolean waitingReported;
    private boolean ownSession;
    private Channel channel;
    private long busyMillis = RETRY_MILLIS;
    private long queuedSince;
    private boolean queued;
    private String problem = NO_ANSWER;

    private Connector(
            ConnectOptions options, ClientFactory<T> clients, Duration limit, EventLoopGroup ownGroup, EventLoop loop) {
        this.options = options;
        this.clients = clients;
        this.path = options.path();
        this.limit = limit;
        this.mayUseBatches = options.batches();
        this.patience = new Patience(limit, options.queueCounts(), System::nanoTime);
        this.ownGroup = ownGroup;
        this.again = loop != null;
        this.loop = again ? loop : (ownGroup == null ? options.group() : ownGroup).next();
    }

    static <T> CompletableFuture<T> connect(ConnectOptions options, ClientFactory<T> clients) throws EscrowException {
        checkPlatform();
        Wire.keepsFlags(); // Here, because the first call loads a library, and an event loop must not wait for that.
        EventLoopGroup ownGroup = options.group() == null ? newGroup() : null;
        Connector<T> connector = new Connector<>(options, clients, options.timeout(), ownGroup, null);
        connector.start();
        return connector.result;
    }

    /** Connects after a session was lost, on its event loop, on which the future succeeds. */
    static CompletableFuture<Connection> connectAgain(ConnectOptions options, EventLoop loop) {
        Connector<Connection> connector = new Connector<>(
                options, (session, group) -> session, options.reconnect().within(), null, loop);
        connector.start();
        return connector.result;
    }

    private static void checkPlatform() throws EscrowException {
        if (!Epoll.isAvailable()) {
            throw new EscrowException(
                    Status.EOPNOTSUPP,
                    "the escrow needs Linux and Netty's native epoll library (netty-transport-native-epoll with the"
                            + " classifier of this machine) on the class path",
                    Epoll.unavailabilityCause());
        }
    }

    @SuppressWarnings("deprecation") // Netty 4.1 has no other
    private static EventLoopGroup newGroup() throws EscrowException {
        try {
            return new EpollEventLoopGroup(1, new DefaultThreadFactory("escrow-client", true));
        } catch (IllegalStateException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new EscrowException(
                    lacksOpenFiles(cause) ? Status.EMFILE : Futures.statusOf(cause),
                    "no event loop can be made for the client: " + cause.getMessage(),
                    e);
        }
    }

    private void start() {
        result.whenComplete((client, failure) -> {
            if (failure != null) {
                loop.execute(this::abandon);
            }
        });
        loop.execute(() -> {
            // The time may be up by now; then the loop ends, and takes no other task.
            checkTime();
            attempt();
        });
    }

    private void attempt() {
        if (result.isDone()) {
            return;
        }
        new Bootstrap()
                .group(loop)
                .channelFactory(() -> EventLoops.levelTriggered(new EpollDomainSocketChannel()))
                .handler(new ChannelInitializer<EpollDomainSocketChannel>() {
                    @Override
                    protected void initChannel(EpollDomainSocketChannel ch) {
                        prepare(ch);
                    }
                })
                .connect(new DomainSocketAddress(path.toString()))
                .addListener(f -> {
                    if (!f.isSuccess()) {
                        failed(f.cause());
                    }
                });
    }

    private void prepare(EpollDomainSocketChannel ch) {
        channel = ch;
        EventLoops.closeWithLoop(ch);
        Wire wire = Wire.install(ch, false, Limits.DEFAULT);
        if (options.verbose()) {
            ch.pipeline().addLast(new Tracer(System.err));
        }
        ch.pipeline().addLast(new HelloHandler(this, wire, mayUseBatches && Wire.keepsFlags()));
    }

    /** Decides what to do when connecting to the socket failed. */
    private void failed(Throwable cause) {
        if (isErrno(cause, Errors.ERRNO_EAGAIN_NEGATIVE)) {
            queued();
            reportWaiting();
            retryLater();
            return;
        }
        leftQueue();
        if (isErrno(cause, EACCES)) {
            result.completeExceptionally(
                    new EscrowException(Status.EACCES, "no permission to connect to \"" + path + "\"", cause));
        } else if (Files.exists(path) && !SocketPath.isSocket(path)) {
            result.completeExceptionally(new EscrowException(Status.EINVAL, "not a socket: " + path, cause));
        } else if (lacksOpenFiles(cause)) {
            lacking("no socket can be opened: " + cause.getMessage(), cause);
        } else if (launched) {
            retry();
        } else if (options.launch() != null) {
            launched = true;
            launch();
        } else if (again) {
            problem = nobodyListens();
            retryLater();
        } else {
            result.completeExceptionally(new EscrowException(
                    Status.ECONNREFUSED, nobodyListens() + ": start escrowd, or let the client launch it", cause));
        }
    }

    /** Tries again if a session or a daemon depends on it. */
    private void lacking(String what, Throwable cause) {
        if (again || launched) {
            problem = what;
            retryLater();
        } else {
            result.completeExceptionally(new EscrowException(Status.EMFILE, what, cause));
        }
    }

    private String nobodyListens() {
        return Files.exists(path) ? "no process listens on \"" + path + "\"" : "no socket \"" + path + "\"";
    }

    private static boolean lacksOpenFiles(Throwable cause) {
        return isErrno(cause, EMFILE) || isErrno(cause, ENFILE);
    }

    /** Compares the text of strerror(3), which depends on the language: Netty's exception keeps nothing else. */
    private static boolean isErrno(Throwable cause, int errno) {
        String failed = new Errors.NativeIoException("", errno).getMessage();
        return String.valueOf(cause.getMessage()).contains(failed.substring(failed.lastIndexOf(": ")));
    }

    private void launch() {
        CompletableFuture<Void> listening = new CompletableFuture<>();
        Thread launcher = new Thread(
                () -> {
                    try {
                        DaemonLauncher.launch(options.launch(), options.verbose(), path);
                        listening.complete(null);
                    } catch (Throwable e) {
                        listening.completeExceptionally(Futures.toEscrowException(e));
                    }
                },
                "escrow-launcher");
        launcher.setDaemon(true);
        launcher.start();
        listening.whenCompleteAsync(
                (nothing, failure) -> {
                    // Another process may have started a daemon at the same moment. Then that one serves, and ours has
                    // failed.
                    if (failure == null || SocketPath.isServed(path)) {
                        attempt();
                    } else if (again) {
                        problem = failure.getMessage();
                        retryLater();
                    } else {
                        result.completeExceptionally(failure);
                    }
                },
                loop);
    }

    private void retry() {
        loop.schedule(this::attempt, RETRY_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Tries again at growing, random intervals: it may take hours, and many clients may wait. */
    private void retryLater() {
        long millis = ThreadLocalRandom.current().nextLong(busyMillis / 2, busyMillis) + 1;
        busyMillis = Math.min(2 * busyMillis, LONGEST_RETRY_MILLIS);
        loop.schedule(this::attempt, millis, TimeUnit.MILLISECONDS);
    }

    /** Notes when this client joined the queue. When it joins again, the first time counts. */
    void queued() {
        problem = NO_ANSWER;
        patience.joined();
        if (!queued) {
            queued = true;
            queuedSince = System.nanoTime();
        }
    }

    private void leftQueue() {
        if (patience.left()) {
            // There was a daemon meanwhile.
            launched = false;
        }
    }

    /** Reports that this client has to wait, and again after a while. */
    void reportWaiting() {
        boolean due = !waitingReported
                || System.nanoTime() - reported >= options.reportInterval().toNanos();
        if (!due || result.isDone()) {
            return;
        }
        Waiting waiting = Waiting.on(path);
        if (waiting.holder() == ProcessHandle.current().pid() && !OpenSessions.exists(path) && !ownSession) {
            // Most likely this session, which a daemon that has just started is slow to answer. If a client has it that
            // is not known here, for example of another class loader, the next call reports it.
            ownSession = true;
            return;
        }
        waitingReported = true;
        reported = System.nanoTime();
        options.onWaiting().accept(waiting);
    }

    void opened(Channel ch, Frame.Hello daemon, Wire wire) {
        Duration waited = Duration.ofNanos(System.nanoTime() - queuedSince);
        OpenSessions.add(path, ch);
        if (!result.complete(clients.make(new Connection(ch, daemon, waited, wire::descriptorsMayCome), ownGroup))) {
            ch.close();
        }
    }

    /** Connects again without batches, because they were agreed on and can't be used. */
    void cannotUseBatches() {
        logger.warn("no io_uring can be made: connecting again without batches of descriptors");
        mayUseBatches = false;
    }

    void refused(EscrowException reason) {
        result.completeExceptionally(reason);
    }

    /** Gives up because what came was no answer, or can't be dealt with. */
    void misunderstood(Throwable cause) {
        result.completeExceptionally(
                cause instanceof DecoderException
                        ? new EscrowException(
                                Status.EPROTO,
                                "what listens on \"" + path + "\" does not speak this protocol: " + cause.getMessage(),
                                cause)
                        : Futures.toEscrowException(cause));
    }

    void lost() {
        leftQueue();
        if (!result.isDone()) {
            retry();
        }
    }

    private void checkTime() {
        if (result.isDone()) {
            return;
        }
        long remaining = patience.remaining();
        if (remaining > 0) {
            Future<?> check = loop.schedule(this::checkTime, remaining, TimeUnit.NANOSECONDS);
            result.whenComplete((client, failure) -> check.cancel(false));
            return;
        }
        Waiting waiting = Waiting.on(path);
        String why = waitingReported || isKnown(waiting) ? waiting.toString() : problem;
        result.completeExceptionally(
                new EscrowException(Status.ETIMEDOUT, "not connected within " + limit.toMillis() + " ms: " + why));
    }

    /** Returns whether another session is known to be on, though the time was too short to report that. */
    private boolean isKnown(Waiting waiting) {
        boolean another = waiting.holder() != ProcessHandle.current().pid() || OpenSessions.exists(path);
        return problem.equals(NO_ANSWER) && waiting.holder() != 0 && another;
    }

    private void abandon() {
        if (channel != null) {
            channel.close();
        }
        if (ownGroup != null) {
            ownGroup.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }
}
