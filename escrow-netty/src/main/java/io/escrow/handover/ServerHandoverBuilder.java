package io.escrow.handover;

import static java.util.Objects.requireNonNull;

import io.escrow.InheritedSockets;
import io.escrow.client.EscrowClientBuilder;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** Describes a server that can be handed over. Used by one thread. */
public final class ServerHandoverBuilder {

    final EscrowClientBuilder escrow;
    final List<Listener> listeners = new ArrayList<>();
    final Map<String, byte[]> farewells = new HashMap<>();
    InheritedSockets inherited = new InheritedSockets(Map.of());
    boolean crashSafe;
    boolean bindChangedAddress;
    int firstTag;
    Duration drain = Duration.ofSeconds(30);
    Duration wave;
    Predicate<Channel> resumeAfterCrash = channel -> true;
    Consumer<Progress> onProgress = progress -> {};
    HandoverObserver observer = new HandoverObserver() {};

    ServerHandoverBuilder(EscrowClientBuilder escrow) {
        this.escrow = requireNonNull(escrow, "escrow");
    }

    /**
     * Adds a listener: TCP, or UNIX-domain if the address is a {@link io.netty.channel.unix.DomainSocketAddress}.
     *
     * @param name names it in the escrow; unique, and the same in the next version of the program
     * @param bootstrap the groups, options and handlers of the server; its channel type is not used
     * @param address what to bind when the escrow does not hold the listener
     * @return this builder
     */
    public ServerHandoverBuilder listen(String name, ServerBootstrap bootstrap, SocketAddress address) {
        listeners.add(new Listener(name, bootstrap, address));
        return this;
    }

    /**
     * Adds several listeners on one address; the bootstrap must have the option {@code SO_REUSEPORT}.
     *
     * @param name names them in the escrow, with {@code #0}, {@code #1} and so on behind it
     * @param bootstrap as for {@link #listen(String, ServerBootstrap, SocketAddress)}
     * @param address what to bind
     * @param count how many, 1 or more
     * @return this builder
     */
    public ServerHandoverBuilder listen(String name, ServerBootstrap bootstrap, SocketAddress address, int count) {
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
     */
    public ServerHandoverBuilder datagram(String name, Bootstrap bootstrap, SocketAddress address) {
        listeners.add(new Listener(name, bootstrap, address));
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
     * Chooses which of the connections that are found after a crash go on.
     *
     * @param resume called on the connection's event loop, before its first read; {@code false} closes it. By default all
     *     go on
     * @return this builder
     */
    public ServerHandoverBuilder resumeAfterCrash(Predicate<Channel> resume) {
        this.resumeAfterCrash = requireNonNull(resume, "resume");
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
        List<String> names = listeners.stream()
                .map(Listener::name)
                .filter(name -> name.equals(listener) || name.startsWith(listener + "#"))
                .toList();
        if (names.isEmpty()) {
            throw new IllegalArgumentException("no listener named " + listener + ": add it before its farewell");
        }
        names.forEach(name -> farewells.put(name, bytes.clone()));
        return this;
    }

    /**
     * Takes listeners from sockets that this process was started with, instead of binding them: on the first start those
     * of systemd's socket units, for instance. A listener that the escrow does not hold gets the socket that has its name
     * ({@code FileDescriptorName=} of the unit; for several on one address, the name that they share), or else one with
     * its address, unless its port is 0. What no listener takes is closed when the server has its listeners, and a line
     * in the log says so.
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
     * Chooses what happens when the escrow holds a listener that has another address than the one asked for, or one is
     * inherited.
     *
     * @param bind whether to let it go and bind the new one; by default the start fails
     * @return this builder
     */
    public ServerHandoverBuilder bindChangedAddress(boolean bind) {
        this.bindChangedAddress = bind;
        return this;
    }

    /**
     * Sets which tags of the escrow are used.
     *
     * @param tag the first of three; 0 by default
     * @return this builder
     */
    public ServerHandoverBuilder firstTag(int tag) {
        this.firstTag = tag;
        return this;
    }

    /**
     * Sets how long connections that can't be moved may go on in this process after the handover.
     *
     * @param time the time, then they are closed; 30 seconds by default
     * @return this builder
     */
    public ServerHandoverBuilder drain(Duration time) {
        this.drain = requireNonNull(time, "time");
        return this;
    }

    /**
     * Moves connections in waves when the next process waits already, instead of all at once: so many at a time that each
     * of them pauses for about the given time, while the others are being served. For servers whose connections do not
     * talk to each other; for those that do, some members of a conversation would be in the old process, and some in the
     * new one. Connections that do not come to rest in time stay, and are drained.
     *
     * @param pause how long a wave may take; 100 milliseconds suit most servers. By default all move at once
     * @return this builder
     * @throws IllegalArgumentException if the pause is not positive
     */
    public ServerHandoverBuilder waves(Duration pause) {
        if (pause.isNegative() || pause.isZero()) {
            throw new IllegalArgumentException("pause of a wave: " + pause + " (expected: more than 0)");
        }
        this.wave = pause;
        return this;
    }

    /**
     * Sets who is told how far a start or a handover has come.
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
     * Sets who is told what happens, for metrics or logs.
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
     * @return a future of the running server. Fails with an {@link io.escrow.EscrowException} when the escrow can't be
     *     had, or a listener neither adopted nor bound; then everything in the escrow is as it was
     */
    public CompletableFuture<ServerHandover> start() {
        return Starter.start(this);
    }
}
