package io.escrow.client;

import static java.util.Objects.requireNonNull;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.internal.Checks;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Describes a connection to an escrow daemon. Used by one thread at a time.
 *
 * <p>{@link #connect()} checks and copies all settings. So a builder can be changed and used again, and its clients
 * share nothing but the event loops that they were given.
 *
 * <p>A wrong value is an error of the program: the method that gets it throws an {@link IllegalArgumentException} at
 * once. Anything wrong with the machine or its configuration, such as a path that is too long or a missing native
 * library, makes the future of {@link #connect()} fail with an {@link EscrowException}.
 */
public final class EscrowClientBuilder {

    private static final Logger logger = LoggerFactory.getLogger(EscrowClient.class);

    private String path;
    private EventLoopGroup group;
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(30);
    private static final Duration REPORT_INTERVAL = Duration.ofMinutes(1);
    private static final Duration DELETE_DELAY = Duration.ofMillis(2);
    private static final Duration LONGEST_DELETE_DELAY = Duration.ofSeconds(1);

    /** How long connecting may take; {@code null} if that was not chosen. */
    private Duration connectTimeout;

    private Consumer<Waiting> onWaiting = waiting -> logger.info("{}", waiting);
    private DaemonLaunch launch;
    private boolean verbose;
    private boolean batches = true;
    private Duration deleteDelay = DELETE_DELAY;
    private ReconnectOptions reconnect = ReconnectOptions.OFF;

    EscrowClientBuilder() {}

    /**
     * Copies this builder.
     *
     * @return a builder with the same settings, which can be changed on its own
     */
    public EscrowClientBuilder copy() {
        EscrowClientBuilder copy = new EscrowClientBuilder();
        copy.path = path;
        copy.group = group;
        copy.connectTimeout = connectTimeout;
        copy.onWaiting = onWaiting;
        copy.launch = launch;
        copy.verbose = verbose;
        copy.batches = batches;
        copy.deleteDelay = deleteDelay;
        copy.reconnect = reconnect;
        return copy;
    }

    /**
     * Sets the path of the daemon's socket.
     *
     * @param path the path, at most {@value SocketPath#MAX_LENGTH} bytes; by default the value of {@value
     *     SocketPath#ENVIRONMENT} in the environment
     * @return this builder
     */
    public EscrowClientBuilder path(String path) {
        this.path = path;
        return this;
    }

    /**
     * Uses the caller's event loops instead of one of the client's own.
     *
     * @param group a group on the epoll transport; the caller shuts it down
     * @return this builder
     * @throws IllegalArgumentException if the group has another transport
     */
    public EscrowClientBuilder group(EventLoopGroup group) {
        this.group = Checks.epoll("group", group);
        return this;
    }

    /**
     * Returns whether the calling thread is an event loop that clients of this builder use. It must not wait for them.
     *
     * @return {@code false} also if clients have event loops of their own
     */
    public boolean inEventLoop() {
        if (group != null) {
            for (EventExecutor loop : group) {
                if (loop.inEventLoop()) {
                    return true;
                }
            }
        }
        return false;
    }

    /**
     * Sets how long connecting may take. The time in which other sessions end or a daemon is started counts.
     *
     * @param timeout the time; 30 seconds by default, and without limit in the queue for {@link #awaitTurn()}
     * @return this builder
     * @throws IllegalArgumentException if the time is not positive
     */
    public EscrowClientBuilder connectTimeout(Duration timeout) {
        this.connectTimeout = Checks.positive("connect timeout", timeout);
        return this;
    }

    /**
     * Returns how long connecting may take.
     *
     * @return the time that was set, or 30 seconds
     */
    public Duration connectTimeout() {
        return connectTimeout == null ? CONNECT_TIMEOUT : connectTimeout;
    }

    /**
     * Sets a listener that is called when another client has the session and this one waits for its turn, and then every
     * minute until its turn comes.
     *
     * @param listener called on the event loop; by default a line is logged, which names the process that is waited for
     * @return this builder
     */
    public EscrowClientBuilder onWaiting(Consumer<Waiting> listener) {
        this.onWaiting = requireNonNull(listener, "listener");
        return this;
    }

    /**
     * Starts a daemon when no process listens on the path. Without this, {@link #connect()} fails then.
     *
     * @param launch which daemon to start, and how
     * @return this builder
     */
    public EscrowClientBuilder launch(DaemonLaunch launch) {
        this.launch = requireNonNull(launch, "launch");
        return this;
    }

    /**
     * Lets the client connect again by itself when its session is lost: because the daemon has ended, or an operator has
     * ended the session. It waits for its turn again. Without this, the client ends with its session.
     *
     * <p>Requests that were sent and not answered are in doubt. Their futures fail with an {@link
     * io.escrow.EscrowConnectionException} whose {@code maybeCarriedOut()} is {@code true}; a bulk call has that as the
     * failure of each such slot, and goes on. Requests that were not sent wait, and are sent in the new session, in order.
     * They are checked against the limits that the daemon tells then. Descriptors stay the caller's, and open, until their
     * futures are done.
     *
     * <p>The client ends, as if its session had ended for good, when it has not connected in time, when as many sessions
     * were lost as are allowed, and when the daemon and the client do not understand each other.
     *
     * @param within how long connecting may take each time, without the time in the queue if {@link #awaitTurn()} does not
     *     count that; and the time in which lost sessions are counted
     * @param times the most sessions that are made again in that time, 0 to 1,000; 0, the default, to make none again
     * @return this builder
     * @throws IllegalArgumentException if a value is out of range
     */
    public EscrowClientBuilder reconnect(Duration within, int times) {
        this.reconnect = new ReconnectOptions(within, times, reconnect.listener());
        return this;
    }

    /**
     * Sets who is told that a session is lost, and that there is a new one, whose escrow may be empty.
     *
     * @param listener called on the event loop, if {@link #reconnect} is on
     * @return this builder
     */
    public EscrowClientBuilder sessionListener(SessionListener listener) {
        this.reconnect =
                new ReconnectOptions(reconnect.within(), reconnect.times(), requireNonNull(listener, "listener"));
        return this;
    }

    /**
     * Prints every message on stderr. A daemon that is started prints there, too.
     *
     * @param verbose whether to print them; {@code false} by default
     * @return this builder
     */
    public EscrowClientBuilder verbose(boolean verbose) {
        this.verbose = verbose;
        return this;
    }

    /**
     * Sets whether descriptors may be sent and received many in a message, which makes bulk calls up to twice as fast.
     * That takes io_uring in both processes: in this one, {@code netty-transport-native-io_uring} of Netty 4.2 on the class
     * path, and a machine that allows io_uring. Without it, each descriptor has a message of its own.
     *
     * @param batches whether they may; {@code true} by default
     * @return this builder
     */
    public EscrowClientBuilder descriptorBatches(boolean batches) {
        this.batches = batches;
        return this;
    }

    /**
     * Sets how long {@link EscrowClient#deleteSoon} may hold a request back for another one that it is sent with. A longer time
     * saves packets; meanwhile the daemon keeps the descriptor. In crash-safe mode that is the one of a connection that has
     * closed here.
     *
     * @param delay the time, 0 to 1 second; 2 ms by default, and 0 to send each at once
     * @return this builder
     * @throws IllegalArgumentException if the time is out of range
     */
    public EscrowClientBuilder deleteDelay(Duration delay) {
        this.deleteDelay = Checks.atMost("delete delay", delay, LONGEST_DELETE_DELAY);
        return this;
    }

    /**
     * Connects, and waits for its turn when another client has the session.
     *
     * @return a future of the client, which the caller closes. Fails with an {@link EscrowException} when no process
     *     listens, the daemon can't be started, or the client's turn did not come in time; at once when the path or the
     *     platform is not usable, or, with {@code EMFILE}, when no more files can be opened. Cancelling the future ends
     *     the attempt; a daemon that was started goes on
     * @throws IllegalStateException if the event loops were shut down
     */
    public CompletableFuture<EscrowClient> connect() {
        return connect(true, REPORT_INTERVAL);
    }

    /**
     * Connects as {@link #connect()} does, but waits for its turn as long as it takes: for a program that is started while
     * the one before still runs. Only the time in which no daemon has this client in its queue is limited, to 30 seconds.
     * When {@link #connectTimeout} was called, the time in the queue counts, too, as for {@link #connect()}.
     *
     * @return a future of the client, as that of {@link #connect()}
     * @throws IllegalStateException if the event loops were shut down
     */
    public CompletableFuture<EscrowClient> awaitTurn() {
        return connect(connectTimeout != null, REPORT_INTERVAL);
    }

    /** Connects, with a report at an interval of a test's choice. */
    CompletableFuture<EscrowClient> connect(boolean queueCounts, Duration reportInterval) {
        if (group != null && group.isShuttingDown()) {
            throw new IllegalStateException("group: its event loops are shut down (expected: running)");
        }
        try {
            ConnectOptions options = new ConnectOptions(
                    SocketPath.check(path),
                    group,
                    connectTimeout(),
                    queueCounts,
                    reportInterval,
                    onWaiting,
                    launch,
                    verbose,
                    batches,
                    deleteDelay,
                    reconnect);
            return Connector.connect(options, (first, ownGroup) -> EscrowClient.of(options, first, ownGroup));
        } catch (EscrowException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /**
     * Connects as {@link #connect()} does, and waits until it is done.
     *
     * @param timeout how long each call of the view may take
     * @return the blocking view of the client
     * @throws EscrowException if the connection was not made
     * @throws IllegalArgumentException if the timeout is not positive
     * @throws IllegalStateException if this is called on an event loop of the client's group, or the event loops were
     *     shut down
     */
    public BlockingEscrow connectBlocking(Duration timeout) throws EscrowException {
        Checks.positive("timeout", timeout);
        if (group != null) {
            BlockingEscrow.checkThread(group);
        }
        return BlockingEscrow.await(connect(), connectTimeout().plusSeconds(5)).toBlocking(timeout);
    }
}
