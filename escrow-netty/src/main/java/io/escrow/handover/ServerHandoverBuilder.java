package io.escrow.handover;

import static java.util.Objects.requireNonNull;

import io.escrow.InheritedSockets;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.connection.ConnectionRules;
import io.escrow.handover.connection.CrashMarks;
import io.escrow.handover.connection.ImmovableHandlers;
import io.escrow.handover.connection.MovedAttributes;
import io.escrow.handover.connection.ProtocolRegistry;
import io.escrow.handover.protocol.AttributeCodec;
import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.seal.RecordSeal;
import io.escrow.handover.tls.MovableTls;
import io.escrow.handover.tls.source.TlsSources;
import io.escrow.handover.tls.ticket.TicketContexts;
import io.escrow.internal.Checks;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.util.AttributeKey;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Describes a server that can be handed over. Used by one thread at a time.
 *
 * <p>{@link #start()} checks and copies all settings, those of the bootstraps included. So a builder can be changed and
 * used again, and its servers share nothing but event loops and handlers.
 *
 * <p>A wrong value is an error of the program: the method that gets it throws an {@link IllegalArgumentException} at
 * once. What is wrong with the machine makes the future of {@link #start()} fail.
 */
public final class ServerHandoverBuilder {

    /** A server uses three tags: for listeners, connections, and what is too large for one payload. */
    private static final int LAST_FIRST_TAG = 65_536 - 3;

    private static final int MAX_LISTENERS = 1_000;

    private final EscrowClientBuilder escrow;
    private final ListenerDescriptions listeners = new ListenerDescriptions();
    private final List<Protocol> protocols = new ArrayList<>();
    private InheritedSockets inherited = new InheritedSockets(Map.of());
    private ImmovableHandlers immovable = ImmovableHandlers.DEFAULT;
    private MovedAttributes attributes = MovedAttributes.NONE;
    private TlsSources tls;
    private boolean crashKeys;
    private TicketContexts tickets;
    private boolean crashSafe;
    private Path marksDirectory = CrashMarks.defaultDirectory();
    private boolean bindChangedAddress;
    private int firstTag;
    private Duration drain = Duration.ofSeconds(30);
    private Duration bindWarning = Duration.ofSeconds(30);
    private Duration readPause = Duration.ofSeconds(1);
    private Duration wave;
    private boolean rehearsal = Boolean.parseBoolean(System.getProperty("escrow.rehearsal", "true"));
    private Predicate<Channel> resumeAfterCrash = channel -> true;
    private SealKeys seal;
    private Consumer<Progress> onProgress = progress -> {};
    private HandoverObserver observer = new HandoverObserver() {};

    ServerHandoverBuilder(EscrowClientBuilder escrow) {
        // It makes its session again itself: what it stores anew then, no client knows.
        this.escrow = escrow.copy().reconnect(Duration.ofSeconds(1), 0);
    }

    /**
     * Adds a listener: TCP, or UNIX-domain if the address is a {@link io.netty.channel.unix.DomainSocketAddress}.
     *
     * @param name names it in the escrow; unique, and the same in the next version of the program
     * @param bootstrap the groups, options and handlers of the server; its channel type is not used
     * @param address what to bind when the escrow does not hold the listener
     * @return this builder
     * @throws IllegalArgumentException if the name is taken, or is not 1 to 255 bytes without control characters
     */
    public ServerHandoverBuilder listen(String name, ServerBootstrap bootstrap, SocketAddress address) {
        listeners.add(ListenerConfiguration.of(name, bootstrap, address));
        return this;
    }

    /**
     * Adds several listeners on one address; the bootstrap must have the option {@code SO_REUSEPORT}.
     *
     * @param name names them in the escrow, with {@code #0}, {@code #1} and so on behind it
     * @param bootstrap as for {@link #listen(String, ServerBootstrap, SocketAddress)}
     * @param address what to bind
     * @param count how many, 1 to 1,000
     * @return this builder
     * @throws IllegalArgumentException if a name is taken, or the count is out of range
     */
    public ServerHandoverBuilder listen(String name, ServerBootstrap bootstrap, SocketAddress address, int count) {
        Checks.inRange("number of listeners named " + name, count, 1, MAX_LISTENERS);
        for (int i = 0; i < count; i++) {
            listen(name + "#" + i, bootstrap, address);
        }
        return this;
    }

    /**
     * Adds a datagram socket.
     *
     * @param name names it in the escrow; unique, and the same in the next version of the program
     * @param bootstrap its group, options and handler; its channel type is not used
     * @param address what to bind when the escrow does not hold the socket
     * @return this builder
     * @throws IllegalArgumentException if the name is taken, or is not 1 to 255 bytes without control characters
     */
    public ServerHandoverBuilder datagram(String name, Bootstrap bootstrap, SocketAddress address) {
        listeners.add(ListenerConfiguration.of(name, bootstrap, address));
        return this;
    }

    /**
     * Adds a protocol whose connections can be moved. It comes before those that are found as services; one that has the
     * name of such a service takes its place.
     *
     * @param protocol the protocol, used on all event loops of the server
     * @return this builder
     */
    public ServerHandoverBuilder protocol(Protocol protocol) {
        protocols.add(requireNonNull(protocol, "protocol"));
        return this;
    }

    /**
     * Keeps connections here that have a handler of a class in their pipelines: they are drained at a handover. Handlers
     * of Netty that can't be moved are known already.
     *
     * @param handler the class; applies to those that extend it
     * @param reason why, for the report; not blank
     * @return this builder
     * @throws IllegalArgumentException if the reason is blank
     */
    public ServerHandoverBuilder immovable(Class<? extends ChannelHandler> handler, String reason) {
        if (reason.isBlank()) {
            throw new IllegalArgumentException(
                    "reason why a " + handler.getSimpleName() + " can't be moved: blank (expected: a few words)");
        }
        immovable = immovable.with(handler, reason);
        return this;
    }

    /**
     * Vouches for a handler that is, or extends, one of those because of which a connection can't be moved: a decoder that
     * only ever gets whole messages, for instance. When the connection is at rest, the handler must have no state that
     * the next process needs.
     *
     * <p>That says more of the handler, too: it keeps no writes back, which are not watched then, and it may have an executor
     * that does not keep the order, such as an {@code UnorderedThreadPoolEventExecutor}. What is under way there must be
     * counted with {@link io.escrow.handover.protocol.PendingWork}.
     *
     * @param handler the class; applies to those that extend it
     * @return this builder
     */
    public ServerHandoverBuilder vouchFor(Class<? extends ChannelHandler> handler) {
        immovable = immovable.without(handler);
        return this;
    }

    /**
     * Moves an attribute of the channels of connections: an adopted channel has the value before a handler is added to its
     * pipeline. The value is stored when the connection moves, and in crash-safe mode at each checkpoint. Other attributes
     * stay behind; those of the bootstrap ({@code childAttr}) are set as for an accepted channel.
     *
     * @param <T> the type of the values
     * @param key the key, whose name is the same in the next version of the program: 1 to 200 printable ASCII characters
     * @param codec writes and reads the values, on all event loops of the server; replaces one that was given before
     * @return this builder
     * @throws IllegalArgumentException if the name of the key is not as it must be
     */
    public <T> ServerHandoverBuilder attribute(AttributeKey<T> key, AttributeCodec<T> codec) {
        this.attributes = attributes.with(requireNonNull(key, "key"), requireNonNull(codec, "codec"));
        return this;
    }

    /**
     * Lets the TLS connections of an {@code SslHandler} move, also behind a {@code SniHandler} or an {@code OptionalSslHandler}. The next
     * version must say so, too: it has the connections in {@code SslHandler}s of its own, with the keys that were agreed on. Without
     * this call they are drained.
     *
     * <p>To be called before the first handshake. The module {@code netty-handler} must be there. Of a {@linkplain #crashSafe crash-safe}
     * server, TLS connections that are in the middle of nothing also outlive a crash, unless {@link MovableTls#withoutCrashKeys} is said.
     *
     * @param tls the contexts of the server; replaces those that were given before
     * @return this builder
     * @throws IllegalArgumentException if the connections of a context can't move
     */
    public ServerHandoverBuilder tls(MovableTls tls) {
        this.tls = TlsSources.of(tls.contexts());
        this.crashKeys = tls.keepsCrashKeys();
        TicketContexts shared =
                tls.ticketAge() == null ? null : TicketContexts.of(tls.contexts(), tls.ticketAge(), tls.ticketGrace());
        this.tickets = shared == null || shared.isEmpty() ? null : shared;
        return this;
    }

    /**
     * Escrows listeners and connections as they come, so that they outlive a crash of this process. A connection is read
     * only when it is sent to the escrow.
     *
     * @param crashSafe whether to do so; {@code false} by default
     * @return this builder
     */
    public ServerHandoverBuilder crashSafe(boolean crashSafe) {
        this.crashSafe = crashSafe;
        return this;
    }

    /**
     * Chooses where a crash-safe server makes the file in which it marks connections that are in the middle of something. The file
     * has no name as soon as it is made, and is in memory if the directory is: 64 bytes a connection. The escrow has its
     * descriptor.
     *
     * @param directory one in which this process may make files; {@code /dev/shm} by default, or the one for temporary files if
     *     that can't be written to. If the file can't be made, {@link #start()} fails with {@link io.escrow.Status#EIO}
     * @return this builder
     */
    public ServerHandoverBuilder marksDirectory(Path directory) {
        this.marksDirectory = requireNonNull(directory, "directory");
        return this;
    }

    /**
     * Chooses which of the connections that are found after a crash go on.
     *
     * @param resume called on the connection's event loop, before its first read; {@code false} closes it. By default all
     *     go on. Not asked about those that can't be moved, which are reset
     * @return this builder
     */
    public ServerHandoverBuilder resumeAfterCrash(Predicate<Channel> resume) {
        this.resumeAfterCrash = requireNonNull(resume, "resume");
        return this;
    }

    /**
     * Seals what is stored of connections with AES-256-GCM: bytes, state of handlers, and the keys of TLS. Who reads slots, or
     * what two processes say to each other in waves, learns names and sizes. Without it, everything is stored as it is, and the
     * log warns of it when TLS connections move.
     *
     * <p>The next process needs the key, too. A connection whose state it can't open is not lost: it is left as it is,
     * named in {@link StartReport#left()} with the reason, and found by a process that has the key.
     *
     * @param keys the keys; asked for anew at each start and handover
     * @return this builder
     */
    public ServerHandoverBuilder seal(SealKeys keys) {
        this.seal = requireNonNull(keys, "keys");
        return this;
    }

    /**
     * Chooses what the peers of handed over connections are told when no process claims them in time ({@code
     * --unclaimed-timeout} of escrowd), before their connections end. Without it, HTTP peers get a response 503, those of
     * WebSockets a close frame with the status 1012, and others nothing.
     *
     * @param listener the name of a listener that was added before; with several on one address, the name they share
     * @param bytes a whole message of the connections' protocol; empty for nothing; at most as many as the daemon keeps
     *     ({@code --max-farewell}, 1 KiB by default), or handovers fail with {@link io.escrow.Status#EMSGSIZE}
     * @return this builder
     * @throws IllegalArgumentException if there is no such listener
     */
    public ServerHandoverBuilder farewell(String listener, byte[] bytes) {
        listeners.farewell(listener, bytes);
        return this;
    }

    /**
     * Takes listeners from sockets that this process was started with, instead of binding them: on the first start those
     * of systemd's socket units, for instance. A listener that the escrow does not hold gets the socket that has its name
     * ({@code FileDescriptorName=} of the unit; for several on one address, the name that they share), or else one with
     * its address, unless its port is 0. What no listener takes is closed when the server has its listeners, and a line
     * in the log says so. When the start fails, all are still there, for another start in this process.
     *
     * <p>For several listeners on one address, pass on as many sockets as there are listeners. Those without one are bound,
     * which takes {@code SO_REUSEPORT} ({@code ReusePort=} of the unit) on all of them. If there are more sockets than
     * listeners, the program that has opened them still has the others, and the kernel gives them connections that no
     * process accepts.
     *
     * <p>A listener that the escrow does hold comes from there, and the inherited one is closed. Most often both are the
     * same open socket; if the unit was stopped and started since, the one in the escrow is older, and clients of a
     * UNIX-domain path reach only the newer one.
     *
     * @param sockets the sockets, most often {@link InheritedSockets#ofThisProcess()}; from now on only to be used by the
     *     server. None by default
     * @return this builder
     */
    public ServerHandoverBuilder inheritListeners(InheritedSockets sockets) {
        this.inherited = requireNonNull(sockets, "sockets");
        return this;
    }

    /**
     * Gives up a listener that a version before this one had, with its connections: they are closed, and named in {@link
     * StartReport#refused()}. Connections that wait to be accepted are reset, and not counted. Without this call, a listener that the server does not have any more is left in the escrow
     * with its connections, so that the version before finds them when it comes back. Until then, clients of it wait
     * without an answer.
     *
     * @param name the name that it had; for several on one address, the name that they shared
     * @return this builder
     * @throws IllegalArgumentException if this server has a listener of that name
     */
    public ServerHandoverBuilder discardListener(String name) {
        listeners.discard(name);
        return this;
    }

    /**
     * Chooses what happens when the escrow holds a listener that has another address than the one asked for, or one is
     * inherited.
     *
     * @param bind whether to let it go and bind the new one; connections that wait at the old one are reset. By default
     *     the start fails
     * @return this builder
     */
    public ServerHandoverBuilder bindChangedAddress(boolean bind) {
        this.bindChangedAddress = bind;
        return this;
    }

    /**
     * Sets which tags of the escrow are used.
     *
     * @param tag the first of three, 0 to 65,533; 0 by default. The daemon must have that many
     * @return this builder
     * @throws IllegalArgumentException if the tag is out of range
     */
    public ServerHandoverBuilder firstTag(int tag) {
        this.firstTag = Checks.inRange("first tag", tag, 0, LAST_FIRST_TAG);
        return this;
    }

    /**
     * Sets how long connections that can't be moved may go on in this process after the handover. In the last tenth of the
     * time, at most 5 seconds, peers are told in the words of their protocol that they may come again: those of WebSockets
     * by a Close frame with status 1012.
     *
     * @param time the time, then they are closed; 30 seconds by default
     * @return this builder
     * @throws IllegalArgumentException if the time is not positive
     */
    public ServerHandoverBuilder drain(Duration time) {
        this.drain = Checks.positive("time to drain connections", time);
        return this;
    }

    /**
     * Sets when the log is to warn that a framework has not asked for its server channel, or not bound it: then its server
     * runs without the escrow, or does not run at all. For listeners of a {@link #transport()}.
     *
     * @param time after which time, again and again; 30 seconds by default
     * @return this builder
     * @throws IllegalArgumentException if the time is not positive
     */
    public ServerHandoverBuilder bindWarning(Duration time) {
        this.bindWarning = Checks.positive("time until a listener that is not bound is warned of", time);
        return this;
    }

    /**
     * Sets for how long at a time a handover may stop reading from a connection of which a piece of work is pending, or a
     * write is kept back: so that it can end before the peer sends more. Then the connection is read from for as long
     * again, because it may be waiting for just that. Applies to connections of no protocol that is known; others begin no
     * new message.
     *
     * @param longest the time; 1 second by default
     * @return this builder
     * @throws IllegalArgumentException if the time is not positive
     */
    public ServerHandoverBuilder readPause(Duration longest) {
        this.readPause = Checks.positive("longest pause of reading", longest);
        return this;
    }

    /**
     * Moves connections in waves when the next process waits already, instead of all at once: so many at a time that each
     * of them pauses for about the given time, while the others are being served. For servers whose connections do not
     * talk to each other; for those that do, some members of a conversation would be in the old process, and some in the
     * new one. Connections that do not come to rest in time stay, and are drained.
     *
     * @param pause how long a wave may take; 10 to 20 milliseconds suit most servers. By default all move at once
     * @return this builder
     * @throws IllegalArgumentException if the pause is not positive
     */
    public ServerHandoverBuilder waves(Duration pause) {
        this.wave = Checks.positive("pause of a wave", pause);
        return this;
    }

    /**
     * Chooses whether this process rehearses a handover: while it waits for its turn, or once it has served for five seconds, it moves
     * 6,000 connections of its own, pairs of sockets, from itself to itself, most of them with TLS if {@link #tls} was called.
     * Java then has compiled what the pause consists of. It happens once in a process (once more if the first server with TLS is not the first
     * of all), on threads of its own, takes about five seconds of processor time, with TLS ten, and ends at once when there is something
     * to take over or to hand over. No handler, observer or context of TLS of yours is asked, and nothing is stored in the escrow.
     *
     * @param rehearse whether to do so; by default as the system property {@code escrow.rehearsal} says, and {@code true} without it
     * @return this builder
     */
    public ServerHandoverBuilder rehearsal(boolean rehearse) {
        this.rehearsal = rehearse;
        return this;
    }

    /**
     * Sets a listener that is called while a start or a handover goes on.
     *
     * @param listener called four times a second while a step lasts, and once when it is done; on an event loop, which it
     *     must not block, or on a thread of the server's own
     * @return this builder
     */
    public ServerHandoverBuilder onProgress(Consumer<Progress> listener) {
        this.onProgress = requireNonNull(listener, "listener");
        return this;
    }

    /**
     * Sets the observer of the server, for metrics or logs.
     *
     * @param observer the observer, which must not block
     * @return this builder
     */
    public ServerHandoverBuilder observer(HandoverObserver observer) {
        this.observer = new SafeObserver(requireNonNull(observer, "observer"));
        return this;
    }

    /**
     * Starts the server: waits until the process before has gone, takes over what it left in the escrow, and inherits
     * or binds what is not there. As long as the server runs, it holds the escrow's session.
     *
     * <p>It waits as long as it takes, and logs every minute for which process; see {@link EscrowClientBuilder#awaitTurn}.
     * {@link EscrowClientBuilder#connectTimeout} sets a limit. When the process before hands over in {@link #waves} and runs out
     * of time, this waits until it hands over again, or ends.
     *
     * @return a future of the running server. Fails with an {@link io.escrow.EscrowException} when the escrow can't be
     *     had, or a listener neither adopted nor bound; then everything in the escrow is as it was. Cancelling the future
     *     ends the wait for the turn; when it is this server's turn, {@code cancel} does nothing and returns {@code
     *     false}
     * @throws IllegalArgumentException if there is no listener, a bootstrap lacks its group or its handler, or has
     *     event loops of another transport than epoll, a protocol has no valid name of its own, or a listener is to be
     *     discarded that the server has
     */
    public CompletableFuture<ServerHandover> start() {
        ListenerDescriptions described = listeners.frozen();
        if (described.all().isEmpty()) {
            throw new IllegalArgumentException("the server has no listener (expected: one at least): add one");
        }
        return StartTask.start(configuration(described), ServerHandover::new);
    }

    /**
     * Describes a server of which a framework makes and binds listeners, besides those that were added here. Nothing is
     * started, and no turn taken, before the framework asks for a server channel.
     *
     * @return the transport for the framework, which the caller closes unless it hands the server over
     * @throws IllegalArgumentException as {@link #start()} does, but there may be no listener here
     */
    public HandoverTransport transport() {
        ListenerDescriptions described = listeners.frozen();
        return new HandoverTransport(described, configuration(described));
    }

    HandoverConfiguration configuration(ListenerDescriptions described) {
        if (tls != null && seal == null) {
            HandoverLog.LOGGER.warn(
                    "the keys of TLS connections are not sealed: who can read what is in the escrow can read"
                            + " and forge these connections{}. Give the builder a key: seal(SealKeys.file(path))",
                    crashSafe && crashKeys ? ", now and as long as the server runs" : "");
        }
        return new HandoverConfiguration(
                escrow.copy(),
                described.all(),
                described.farewells(),
                described.discarded(),
                inherited,
                crashSafe,
                marksDirectory,
                bindChangedAddress,
                firstTag,
                drain,
                bindWarning,
                wave,
                resumeAfterCrash,
                onProgress,
                observer,
                tickets,
                rehearsal,
                new ConnectionRules(
                        ProtocolRegistry.with(protocols),
                        immovable,
                        attributes,
                        readPause,
                        tls,
                        crashKeys,
                        seal == null ? RecordSeal.NONE : seal.toRecordSeal()));
    }
}
