package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.internal.Checks;
import io.escrow.internal.Futures;
import io.netty.channel.ChannelFactory;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;

/**
 * Runs a server whose listeners a framework makes and binds, so that they and their connections can move to the next process.
 *
 * <pre>{@code
 * HandoverTransport transport = ServerHandover.with(EscrowClient.builder().path(path)).transport();
 * serverBootstrap // or whatever in a framework takes a channel factory; its event loops are epoll's
 *         .channelFactory(transport.serverChannels("http"))
 *         .bind(8080)
 *         .sync();
 *
 * // on SIGTERM:
 * transport.handOver(Duration.ofSeconds(10)).join();
 * }</pre>
 *
 * <p>The first server channel that the framework asks for begins the start of the server. It waits for its turn in the
 * escrow's queue, and takes over what the process before has left. A listener is then bound or adopted when the framework
 * binds its channel, and accepts when all listeners are bound, and the connections are adopted. Adopted connections come to
 * the framework through the pipeline of its server channel, as accepted ones do.
 *
 * <p>May be used by any thread. {@link #close()} must not be called on an event loop of the server.
 */
public final class HandoverTransport implements AutoCloseable {

    private static final Logger logger = HandoverLog.LOGGER;
    private static final long RETRY_MILLIS = 100;

    private final HandoverConfiguration configuration;
    private final Map<String, HostedSocket<?>> hosted = new LinkedHashMap<>();
    private final CompletableFuture<ServerHandover> server = new CompletableFuture<>();
    private final Host host = new Host();
    private ListenerDescriptions descriptions;
    /** The start that is under way, or is done; {@code null} as long as no server channel was asked for. */
    private CompletableFuture<ServerHandover> start;

    private boolean closed;
    /** Why the start was given up; {@code null} if it was not. */
    private Throwable whyGivenUp;

    /** Makes a transport with the listeners that the framework does not make. */
    HandoverTransport(ListenerDescriptions descriptions, HandoverConfiguration configuration) {
        this.descriptions = descriptions;
        this.configuration = configuration;
        remindLater();
    }

    /**
     * Returns what makes the channel of one TCP listener, for one bind. {@code newChannel()} waits until it is the server's
     * turn, and the escrow has said which listeners it holds. The channel belongs to epoll event loops
     * ({@code EpollIoHandler}).
     *
     * @param name names the listener in the escrow; unique, and the same in the next version of the program
     * @return the factory; the same one for the same name. {@code newChannel()} throws an {@link IllegalStateException} when
     *     it is called again, when the transport is closed or was handed over, and on an event loop that the escrow's client
     *     uses; and a {@link io.netty.channel.ChannelException} when the server can't be started
     * @throws IllegalArgumentException if the name is another listener's, or to be discarded, or is not 1 to 255 bytes
     *     without control characters
     * @throws IllegalStateException if a server channel was asked for already: the server has its listeners then
     */
    @SuppressWarnings("unchecked") // the kind was compared
    public ChannelFactory<EpollServerSocketChannel> serverChannels(String name) {
        return (HostedSocket<EpollServerSocketChannel>) socket(HostedSocket.tcp(name, host));
    }

    /**
     * Returns what makes the channel of one UNIX-domain listener, for one bind; else as {@link #serverChannels}. After a
     * handover, the {@code closeFuture()} of the channel is not done: Netty would take the path along.
     *
     * @param name names the listener in the escrow; unique, and the same in the next version of the program
     * @return the factory; the same one for the same name
     * @throws IllegalArgumentException as {@link #serverChannels}
     * @throws IllegalStateException as {@link #serverChannels}
     */
    @SuppressWarnings("unchecked") // the kind was compared
    public ChannelFactory<EpollServerDomainSocketChannel> serverDomainChannels(String name) {
        return (HostedSocket<EpollServerDomainSocketChannel>) socket(HostedSocket.unix(name, host));
    }

    private synchronized HostedSocket<?> socket(HostedSocket<?> wanted) {
        HostedSocket<?> known = hosted.get(wanted.name());
        if (known != null && known.kind(null) == wanted.kind(null)) {
            return known;
        }
        if (start != null) {
            throw new IllegalStateException("listener " + wanted.name() + " comes too late: the server has "
                    + hosted.keySet() + " (expected: all are named before the first server channel is asked for)");
        }
        ListenerDescriptions more = descriptions.frozen();
        more.add(ListenerConfiguration.of(wanted.name(), wanted));
        descriptions = more.frozen();
        hosted.put(wanted.name(), wanted);
        return wanted;
    }

    /**
     * Chooses what the peers of handed over connections are told when no process claims them in time, as {@link
     * ServerHandoverBuilder#farewell} does.
     *
     * @param listener the name of a listener of this transport
     * @param bytes a whole message of the connections' protocol; empty for nothing
     * @throws IllegalArgumentException if there is no such listener
     * @throws IllegalStateException if a server channel was asked for already
     */
    public synchronized void farewell(String listener, byte[] bytes) {
        if (start != null) {
            throw new IllegalStateException(
                    "a farewell comes too late (expected: before the first server channel is asked for)");
        }
        descriptions.farewell(listener, bytes);
    }

    /**
     * Returns the server when it runs: the framework has bound all listeners, and everything is adopted.
     *
     * @return a future of the server, which belongs to this transport; not done as long as the framework has not asked for
     *     its server channels. Fails as that of {@link ServerHandoverBuilder#start()}. Cancelling it changes nothing but the
     *     future
     */
    public CompletableFuture<ServerHandover> server() {
        return Futures.expose(server);
    }

    /**
     * Hands the server over as {@link ServerHandover#handOver} does; if it is still being started, when it runs. The framework
     * may close its channels as soon as this has returned: while the handover of a server that runs is under way, their
     * sockets stay open.
     *
     * @param atMost how long it may take, the rest of the start included
     * @return a future of the report, as that of {@link ServerHandover#handOver}; already done, with a report of nothing, if
     *     the framework has not asked for a server channel, and then it gets none any more. Fails as the start does, with
     *     {@link Status#ETIMEDOUT} if that is not done in time, and with {@link Status#ECANCELED} if the transport was
     *     closed before
     * @throws IllegalArgumentException if the time is not positive
     */
    public CompletableFuture<HandoverReport> handOver(Duration atMost) {
        Checks.positive("time for a handover", atMost);
        if (endUnlessBegun()) {
            return CompletableFuture.completedFuture(new HandoverReport(0, 0, List.of(), Duration.ZERO, Duration.ZERO));
        }
        if (server.isDone() && !server.isCompletedExceptionally()) {
            return server.join().handOver(atMost);
        }
        long began = System.nanoTime();
        CompletableFuture<HandoverReport> report = server.copy()
                .orTimeout(atMost.toNanos(), TimeUnit.NANOSECONDS)
                .handle((running, failure) -> failure == null
                        ? running.handOver(left(atMost, began))
                        : CompletableFuture.<HandoverReport>failedFuture(whyNotStarted(failure, atMost)))
                .thenCompose(handover -> handover);
        return Futures.expose(report);
    }

    /** Returns whether nothing was begun; then nothing will be. */
    private synchronized boolean endUnlessBegun() {
        if (start == null) {
            host.giveUp(new EscrowException(
                    Status.ECANCELED, "the server was to be handed over before a server channel was asked for"));
        }
        return start == null;
    }

    private static Duration left(Duration atMost, long began) {
        Duration left = atMost.minusNanos(System.nanoTime() - began);
        return left.isNegative() || left.isZero() ? Duration.ofMillis(1) : left;
    }

    private static Throwable whyNotStarted(Throwable failure, Duration atMost) {
        return Futures.unwrap(failure) instanceof TimeoutException
                ? new EscrowException(
                        Status.ETIMEDOUT,
                        "the server is still being started after " + atMost.toMillis()
                                + " ms: wait longer, or close the transport to give the start up")
                : failure;
    }

    /**
     * Stops the server without handing it over, as {@link ServerHandover#close()} does, which waits for a handover that is
     * under way; gives a start that is under way up, and with it a handover that waits for it. The framework gets no server
     * channel any more. After a handover, this closes the connections that are being drained: wait for {@link
     * ServerHandover#drained()} first.
     */
    @Override
    public void close() {
        host.giveUp(new EscrowException(Status.ECANCELED, "the handover transport was closed"));
        CompletableFuture<ServerHandover> begun;
        synchronized (this) {
            begun = start;
        }
        if (begun != null) {
            ServerHandover running = awaitEnd(begun);
            if (running != null) {
                running.close();
            }
        }
    }

    /** Returns the server of a start that was given up, if it came to an end before; else {@code null}. */
    private static ServerHandover awaitEnd(CompletableFuture<ServerHandover> start) {
        CompletableFuture<ServerHandover> end = start.exceptionally(failure -> null);
        while (true) {
            try {
                return end.get(RETRY_MILLIS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                // The process before goes on, and the start has queued up again since.
                start.cancel(false);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return null;
            } catch (ExecutionException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** Looks again and again whether the framework has asked for its server channels, and says so if it has not. */
    private void remindLater() {
        CompletableFuture.delayedExecutor(configuration.bindWarning().toNanos(), TimeUnit.NANOSECONDS)
                .execute(this::remind);
    }

    private void remind() {
        Set<String> names;
        synchronized (this) {
            if (closed || start != null) {
                return;
            }
            names = Set.copyOf(hosted.keySet());
        }
        logger.warn(
                "no server channel was asked for yet, of listeners {}: if the framework's server runs, it runs without the"
                        + " escrow, and nothing of it will be handed over. See to it that it has the channel factory of the"
                        + " handover transport, also after all other settings; or close the transport",
                names);
        remindLater();
    }

    /** Is what the sockets of this transport ask. */
    private final class Host implements HostedSocket.Host {

        @Override
        public void begin(HostedSocket<?> asking) {
            synchronized (HandoverTransport.this) {
                if (closed) {
                    throw new IllegalStateException("listener " + asking.name()
                            + " gets no server channel: the handover transport is closed, or was handed over");
                }
                if (configuration.escrow().inEventLoop()) {
                    throw new IllegalStateException("listener " + asking.name()
                            + ": its server channel is asked for on an event loop that the escrow's client uses, and would"
                            + " wait for itself (expected: another thread, or a client without a group of the"
                            + " framework's: EscrowClientBuilder.group)");
                }
                if (start == null) {
                    start = StartTask.start(configuration.with(descriptions), ServerHandover::new);
                    start.whenComplete(this::started);
                }
            }
        }

        private void started(ServerHandover running, Throwable failure) {
            if (failure == null) {
                server.complete(running);
                return;
            }
            EscrowException reason;
            synchronized (HandoverTransport.this) {
                reason = Futures.toEscrowException(whyGivenUp == null ? failure : whyGivenUp);
            }
            failAll(reason);
            server.completeExceptionally(reason);
        }

        @Override
        public void giveUp(Throwable reason) {
            CompletableFuture<ServerHandover> begun;
            synchronized (HandoverTransport.this) {
                closed = true;
                if (whyGivenUp == null) {
                    whyGivenUp = reason;
                }
                begun = start;
            }
            if (begun == null) {
                server.completeExceptionally(Futures.toEscrowException(reason));
            } else if (!server.isDone() || server.isCompletedExceptionally()) {
                // When it is not its turn any more, the start fails because of its listeners.
                begun.cancel(false);
                failAll(reason);
            }
        }

        private void failAll(Throwable reason) {
            List<HostedSocket<?>> all;
            synchronized (HandoverTransport.this) {
                all = List.copyOf(hosted.values());
            }
            all.forEach(socket -> socket.fail(reason));
        }
    }
}
