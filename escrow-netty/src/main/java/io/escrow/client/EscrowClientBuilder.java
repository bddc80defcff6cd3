package io.escrow.client;

import static java.util.Objects.requireNonNull;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.netty.channel.EventLoopGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Describes a connection to an escrow daemon. Used by one thread. */
public final class EscrowClientBuilder {

    private static final Logger logger = LoggerFactory.getLogger(EscrowClient.class);

    String path;
    EventLoopGroup group;
    Duration connectTimeout = Duration.ofSeconds(30);
    Consumer<Waiting> onWaiting = waiting -> logger.info("{}", waiting);
    boolean create;
    boolean force;
    boolean verbose;
    int tags;
    Path daemon;

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
        copy.create = create;
        copy.force = force;
        copy.verbose = verbose;
        copy.tags = tags;
        copy.daemon = daemon;
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
     * @param group a group on the epoll transport; stays the caller's to shut down
     * @return this builder
     */
    public EscrowClientBuilder group(EventLoopGroup group) {
        this.group = requireNonNull(group, "group");
        return this;
    }

    /**
     * Sets how long {@link #connect()} may take, waiting for other sessions to end and starting a daemon included.
     *
     * @param timeout the time; 30 seconds by default
     * @return this builder
     */
    public EscrowClientBuilder connectTimeout(Duration timeout) {
        this.connectTimeout = requireNonNull(timeout, "timeout");
        return this;
    }

    /**
     * Sets who is told, once, that another session is on and this one waits for its turn.
     *
     * @param listener called on the event loop; by default a line is logged
     * @return this builder
     */
    public EscrowClientBuilder onWaiting(Consumer<Waiting> listener) {
        this.onWaiting = requireNonNull(listener, "listener");
        return this;
    }

    /**
     * Starts a daemon when nobody listens on the path (the seed's {@code ESCROW_CREAT}). The daemon outlives this
     * process. It is looked for on the class path, then where {@link #daemon} says, then where {@code ESCROWD} in the
     * environment says.
     *
     * @param create whether to start one; {@code false} by default
     * @return this builder
     */
    public EscrowClientBuilder create(boolean create) {
        this.create = create;
        return this;
    }

    /**
     * Lets a daemon that is started replace the socket file of a dead one (the seed's {@code ESCROW_FORCE}); the socket
     * of a living daemon is never replaced. Implies {@link #create}.
     *
     * @param force whether to replace it; {@code false} by default
     * @return this builder
     */
    public EscrowClientBuilder force(boolean force) {
        this.force = force;
        return this;
    }

    /**
     * Prints every message on stderr (the seed's {@code ESCROW_VERBOSE}), and those of a daemon that is started.
     *
     * @param verbose whether to print them; {@code false} by default
     * @return this builder
     */
    public EscrowClientBuilder verbose(boolean verbose) {
        this.verbose = verbose;
        return this;
    }

    /**
     * Sets the number of tags of a daemon that is started; one that runs already keeps its own.
     *
     * @param tags the number, 1 to 65,536; by default the daemon's own default
     * @return this builder
     */
    public EscrowClientBuilder tags(int tags) {
        this.tags = tags;
        return this;
    }

    /**
     * Says where the daemon is when it must be started and is not on the class path.
     *
     * @param daemon a jar file ({@code escrowd.jar}) or a program
     * @return this builder
     */
    public EscrowClientBuilder daemon(Path daemon) {
        this.daemon = daemon;
        return this;
    }

    /**
     * Connects, and waits for its turn when another session is on.
     *
     * @return a future of the client, which the caller closes. Fails with an {@link EscrowException} when nobody
     *     listens, the daemon can't be started, or it did not come to its turn in time. Cancelling it ends the attempt
     */
    public CompletableFuture<EscrowClient> connect() {
        return Connector.connect(this);
    }

    /**
     * Connects as {@link #connect()} does, and waits until it is done.
     *
     * @param timeout how long each call of the view may take
     * @return the blocking view of the client
     * @throws EscrowException when the connection was not made
     * @throws IllegalStateException when this is called on an event loop of the client's group
     */
    public BlockingEscrow connectBlocking(Duration timeout) throws EscrowException {
        if (group != null) {
            BlockingEscrow.checkThread(group);
        }
        return BlockingEscrow.await(connect(), connectTimeout.plusSeconds(5)).toBlocking(timeout);
    }
}
