package io.escrow.reactor;

import static java.util.Objects.requireNonNull;

import io.escrow.handover.HandoverTransport;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

/**
 * Runs servers of Reactor Netty whose listeners and live connections can be handed over. Has epoll event loops of its own:
 * those of Reactor Netty would be io_uring's where that is on the class path. Clients may run on them, too.
 *
 * <pre>{@code
 * HandoverTransport escrow = ServerHandover.with(client).crashSafe(true).transport();
 * DisposableServer server = HttpServer.create()
 *         .port(8080)
 *         .runOn(EscrowLoopResources.of(escrow, "http"))
 *         .handle(handler)
 *         .bindNow();
 *
 * // on SIGTERM:
 * escrow.handOver(Duration.ofSeconds(10)).join();
 * escrow.server().join().drained().join();
 * server.disposeNow();
 * }</pre>
 *
 * <p>The first server that is bound asks for the turn in the escrow's queue; {@code bind} waits for it on the calling
 * thread, for as long as it takes. {@code DisposableServer.onDispose()} completes when the listener is handed over, which is
 * before the handover is done: wait for the latter.
 *
 * <p>May be used by any thread.
 */
public final class EscrowLoopResources implements LoopResources {

    private static final Logger logger = LoggerFactory.getLogger(EscrowLoopResources.class);
    private static final String THREAD_PREFIX = "reactor-escrow-epoll-";

    private final HandoverTransport transport;
    private final List<String> names;
    private final Queue<String> untaken = new ArrayDeque<>();
    private final Set<String> unused = new LinkedHashSet<>();
    private final EventLoopGroup loops;
    private final EventLoopGroup clientLoops;

    @SuppressWarnings("deprecation") // The only group that Netty 4.1 and 4.2 both have.
    private EscrowLoopResources(HandoverTransport transport, List<String> names, int workers) {
        this.transport = requireNonNull(transport, "transport");
        if (names.isEmpty()) {
            throw new IllegalArgumentException("names of listeners: none (expected: one for each server)");
        }
        if (workers < 1) {
            throw new IllegalArgumentException("workers: " + workers + " (expected: 1 at least)");
        }
        Epoll.ensureAvailability();
        this.names = List.copyOf(names);
        // All of them now: the first server that asks begins the start.
        names.forEach(transport::serverChannels);
        untaken.addAll(names);
        unused.addAll(names);
        AtomicInteger number = new AtomicInteger();
        loops = new EpollEventLoopGroup(workers, task -> {
            Thread thread = new LoopThread(task, THREAD_PREFIX + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        clientLoops = LoopResources.colocate(loops);
    }

    /**
     * Makes the loops of one server, as many as Reactor Netty has by default ({@code reactor.netty.ioWorkerCount}).
     *
     * @param transport where the server's listener comes from
     * @param name names the listener in the escrow; unique, and the same in the next version of the program
     * @return the resources for {@code runOn}; whoever makes them disposes of them, after the server
     * @throws IllegalArgumentException if the transport has a listener of that name
     */
    public static EscrowLoopResources of(HandoverTransport transport, String name) {
        return of(transport, List.of(name));
    }

    /**
     * Makes the loops that several servers share, as many as Reactor Netty has by default.
     *
     * @param transport where the servers' listeners come from
     * @param names name the listeners in the escrow, in the order in which the servers are bound; each unique. All of them
     *     must be bound: before that, no connection is accepted. A server that is bound behind them is not handed over
     * @return the resources for {@code runOn}; whoever makes them disposes of them, after the servers
     * @throws IllegalArgumentException if there is no name, or the transport has a listener of that name
     */
    public static EscrowLoopResources of(HandoverTransport transport, List<String> names) {
        return of(transport, names, DEFAULT_IO_WORKER_COUNT);
    }

    /**
     * Makes the loops that several servers share.
     *
     * @param transport where the servers' listeners come from
     * @param names as for {@link #of(HandoverTransport, List)}
     * @param workers the number of event loops, at least 1
     * @return the resources for {@code runOn}; whoever makes them disposes of them, after the servers
     * @throws IllegalArgumentException if there is no name, the transport has a listener of that name, or the number is out
     *     of range
     */
    public static EscrowLoopResources of(HandoverTransport transport, List<String> names, int workers) {
        return new EscrowLoopResources(transport, names, workers);
    }

    /**
     * Returns the names of the listeners that no server has a channel for. While there is one after the servers are bound, a
     * server runs on other loops, and is not handed over: something has replaced its {@code runOn}. As long as a server waits
     * for its turn, its name is among them, too.
     *
     * @return the names, in their order
     */
    public List<String> unusedNames() {
        synchronized (unused) {
            return List.copyOf(unused);
        }
    }

    /** Makes channels: those of servers over TCP are the transport's, others are as for any epoll loop. */
    @Override
    public <C extends Channel> C onChannel(Class<C> channelType, EventLoopGroup group) {
        return channelType == (Class<?>) ServerSocketChannel.class
                ? channelType.cast(serverChannel())
                : LoopResources.super.onChannel(channelType, group);
    }

    private Channel serverChannel() {
        String name;
        synchronized (unused) {
            name = untaken.poll();
        }
        if (name == null) {
            logger.warn(
                    "more servers than names of listeners: this one is not handed over, others have taken {}. Name it as"
                            + " well, or run it on other event loops",
                    names);
            return new EpollServerSocketChannel();
        }
        Channel channel = transport.serverChannels(name).newChannel();
        synchronized (unused) {
            unused.remove(name);
        }
        return channel;
    }

    @Override
    public EventLoopGroup onServer(boolean useNative) {
        return loops;
    }

    @Override
    public EventLoopGroup onClient(boolean useNative) {
        return clientLoops;
    }

    @Override
    public boolean daemon() {
        return true;
    }

    @Override
    public boolean isDisposed() {
        return loops.isShuttingDown();
    }

    @Override
    public Mono<Void> disposeLater(Duration quietPeriod, Duration timeout) {
        return Mono.create(sink -> {
            Future<?> terminated =
                    loops.shutdownGracefully(quietPeriod.toMillis(), timeout.toMillis(), TimeUnit.MILLISECONDS);
            terminated.addListener(done -> sink.success());
        });
    }
}
