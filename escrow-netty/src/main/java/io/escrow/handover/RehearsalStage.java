package io.escrow.handover;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.InheritedSockets;
import io.escrow.SlotKey;
import io.escrow.client.EscrowClient;
import io.escrow.client.RehearsalClient;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.ConnectionRules;
import io.escrow.handover.connection.CrashMarks;
import io.escrow.handover.connection.FoundMarks;
import io.escrow.handover.connection.ImmovableHandlers;
import io.escrow.handover.connection.MovedAttributes;
import io.escrow.handover.connection.ProtocolRegistry;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.link.SocketPair;
import io.escrow.handover.seal.RecordSeal;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.handover.store.UnreadableRecordException;
import io.escrow.handover.tls.source.RehearsalTls;
import io.escrow.handover.tls.source.TlsSources;
import io.escrow.internal.EpollLoops;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandler;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Is the server of a {@link Rehearsal}, with its connections, which it moves to itself. They are pairs of sockets, on event loops of their
 * own, with pipelines of this package. Nothing is stored in the escrow, as they have a {@link RehearsalClient} of their own, and nothing is
 * told to observers. For a server whose TLS moves, most of them have TLS, with {@linkplain RehearsalTls keys of their own}. Used by one
 * thread.
 */
final class RehearsalStage implements AutoCloseable {

    /** How many connections there are: so few that a server has its descriptors for itself, as each takes three. */
    static final int WAVE = 25;

    /** How many of them have no TLS, if others have. */
    static final int PLAIN = 5;

    /** How many of those without TLS have no protocol either. */
    private static final int BYTES = 2;

    static final String NAME = "escrow-rehearsal";

    private static final String TLS_NAME = "escrow-rehearsal-tls";

    private static final String BYTES_NAME = "escrow-rehearsal-bytes";

    /** How long a step may take before the rehearsal is given up. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final RehearsalKind kind;

    /** Serves the connections, as the loops of a server do. */
    private final EventLoopGroup group;

    /** Runs everything else: the client of the escrow, which has a loop of its own in a server, too, and the peers. */
    private final EventLoopGroup others;

    private final HandoverContext server;
    private final ConnectionAdopter adopter;
    private final List<RehearsalPeer> peers = new ArrayList<>();
    private final List<FileDescriptor> idlePeers = new ArrayList<>();
    private ProcessLink old;
    private ProcessLink next;
    private RehearsalClient escrow;

    /** What there is of each connection in the escrow, by index. */
    private Map<Integer, ChannelRecord> records = new LinkedHashMap<>();

    /**
     * Makes a server that has nothing yet.
     *
     * @param kind what its connections are
     * @param isOf41 whether its event loops are of the class that Netty 4.1 has
     */
    RehearsalStage(RehearsalKind kind, boolean isOf41) throws EscrowException {
        this.kind = kind;
        ThreadFactory threads = new DefaultThreadFactory(NAME, true);
        others = EpollLoops.newLoopOf41(threads);
        group = isOf41 ? EpollLoops.newLoopOf41(threads) : EpollLoops.newLoop(threads);
        try {
            List<ListenerConfiguration> listeners = new ArrayList<>();
            listeners.add(listening(NAME, RehearsalPeer.serverPipeline(null)));
            listeners.add(listening(BYTES_NAME, RehearsalPeer.bytesPipeline()));
            if (kind.tls()) {
                listeners.add(listening(TLS_NAME, RehearsalPeer.serverPipeline(RehearsalTls::fresh)));
            }
            server = HandoverContext.of(configuration(listeners, kind.tls()));
            adopter = new ConnectionAdopter(server, new StartNotes(), new FoundMarks());
        } catch (Throwable e) {
            endLoops();
            throw e;
        }
    }

    private ListenerConfiguration listening(String name, ChannelHandler pipeline) {
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(pipeline);
        SocketAddress address =
                kind.tcp() ? new InetSocketAddress(InetAddress.getLoopbackAddress(), 0) : new DomainSocketAddress(name);
        return ListenerConfiguration.of(name, bootstrap, address);
    }

    private List<Future<?>> endLoops() {
        return List.of(
                group.shutdownGracefully(0, 1, TimeUnit.SECONDS), others.shutdownGracefully(0, 1, TimeUnit.SECONDS));
    }

    private SocketPair open() throws IOException {
        return kind.tcp() ? SocketPair.openTcp() : SocketPair.open();
    }

    /** Opens everything, and puts the connections into the escrow. */
    void begin() throws EscrowException, IOException {
        for (Listener listener : server.listeners()) {
            // Neither bound nor listening, but connected: epoll reports that a socket that is not has hung up, again
            // and again.
            SocketPair idle = open();
            idlePeers.add(new FileDescriptor(idle.other()));
            // As it is not its own, no file is deleted with it.
            listener.inherited();
            listener.adopt(idle.one());
            listener.channel().pipeline().addFirst(new AcceptHandler(server, listener.name()));
        }
        SocketPair link = SocketPair.open();
        old = new ProcessLink(others.next(), link.one());
        next = new ProcessLink(others.next(), link.other());
        SocketPair session = SocketPair.open();
        escrow = new RehearsalClient(others.next(), session.one(), session.other());
        await(server.table().begin(escrow.client()));
        RehearsalCrowd.tables();
        RehearsalCrowd.classes();
        RehearsalCrowd.queue(group.next());
        RehearsalCrowd.queue(others.next());
        RehearsalCrowd.slots(server, new Deadline(PATIENCE));
        for (int i = 0; i < WAVE; i++) {
            connect(i);
        }
    }

    private static CompletableFuture<Void> all(Stream<CompletableFuture<Void>> futures) {
        return CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new));
    }

    /** Puts a connection into the escrow, as if it were served. */
    private void connect(int index) throws EscrowException, IOException {
        RehearsalTls keys = kind.tls() && index >= PLAIN ? new RehearsalTls(index) : null;
        String plain = index < BYTES ? BYTES_NAME : NAME;
        ChannelRecord.Builder record = ChannelRecord.builder(keys == null ? plain : TLS_NAME, true);
        if (keys != null) {
            record.put(ChannelRecord.TLS, keys.server());
        }
        SocketPair pair = open();
        peers.add(new RehearsalPeer(others.next(), pair.one(), kind.tcp(), keys == null ? null : keys.client()));
        FileDescriptor served = new FileDescriptor(pair.other());
        try {
            ChannelSlot slot = server.table().newConnectionSlot();
            records.put(slot.index(), record.build());
            await(slot.store(served, records.get(slot.index())));
        } finally {
            served.close();
        }
    }

    private static HandoverConfiguration configuration(List<ListenerConfiguration> listeners, boolean tls) {
        return new HandoverConfiguration(
                EscrowClient.builder(),
                listeners,
                Map.of(NAME, Deposit.NO_BYTES, TLS_NAME, Deposit.NO_BYTES, BYTES_NAME, Deposit.NO_BYTES),
                Set.of(),
                new InheritedSockets(Map.of()),
                false,
                CrashMarks.defaultDirectory(),
                false,
                0,
                PATIENCE,
                PATIENCE,
                null,
                channel -> true,
                progress -> {},
                new HandoverObserver() {},
                null,
                false,
                new ConnectionRules(
                        ProtocolRegistry.ofLibrary(),
                        ImmovableHandlers.DEFAULT,
                        MovedAttributes.NONE,
                        PATIENCE,
                        tls ? TlsSources.of(List.of()) : null,
                        false,
                        RecordSeal.NONE));
    }

    /**
     * Takes all connections over, uses them, and takes them apart again; returns their records.
     *
     * @param fromEscrow whether what is restored is taken from the escrow, as it is without waves
     * @param toEscrow whether it is stored there
     */
    Collection<ChannelRecord> move(boolean fromEscrow, boolean toEscrow)
            throws IOException, EscrowException, UnreadableRecordException {
        Map<Integer, Entry> entries = new ConcurrentHashMap<>();
        try {
            fetch(entries);
            if (fromEscrow) {
                takeStored(entries.values());
            } else {
                send();
                take(entries);
            }
        } finally {
            entries.values().forEach(Entry::close);
        }
        peers.forEach(RehearsalPeer::ask);
        for (RehearsalPeer peer : peers) {
            peer.awaitAnswers(PATIENCE);
        }
        return give(toEscrow);
    }

    private void takeStored(Collection<Entry> entries) {
        List<CompletableFuture<HeldConnection>> assembled =
                entries.stream().map(adopter::assemble).toList();
        adopter.goOn(assembled.stream().map(CompletableFuture::join).toList(), notRestored -> true);
        adopter.awaitSettled();
    }

    private void fetch(Map<Integer, Entry> entries) throws EscrowException {
        int tag = server.table().connectionTag();
        await(server.client()
                .getAll(
                        records.keySet().stream()
                                .map(index -> new SlotKey(tag, index))
                                .iterator(),
                        entry -> entries.put(entry.index(), entry)));
    }

    private void send() {
        records.forEach(
                (index, record) -> old.write(ProcessLink.Kind.MOVED, index, record.encodedLength(), record::encode));
        old.send(ProcessLink.Kind.WAVE);
    }

    private void take(Map<Integer, Entry> entries) throws IOException, UnreadableRecordException {
        List<HeldConnection> held = new ArrayList<>();
        ProcessLink.Message message = receive(next);
        while (message.kind() == ProcessLink.Kind.MOVED) {
            held.add(adopter.assemble(entries.get(message.index()), ChannelRecord.decode(message.content(), "")));
            message = receive(next);
        }
        adopter.goOn(
                held,
                notRestored ->
                        next.send(ProcessLink.Kind.TAKEN).awaitUninterruptibly().isSuccess());
        receive(old);
        adopter.awaitSettled();
    }

    private static ProcessLink.Message receive(ProcessLink link) throws IOException {
        ProcessLink.Message message = link.receive(PATIENCE.toNanos());
        if (message == null) {
            throw new IOException("no message came in " + PATIENCE.toSeconds() + " s");
        }
        return message;
    }

    private Collection<ChannelRecord> give(boolean toEscrow) throws EscrowException, IOException {
        List<Connection> all = List.copyOf(server.connections().all());
        if (!toEscrow) {
            store(all);
            // What is stored already is renewed, as it is for a crash.
            store(all);
        }
        ConnectionBatch wave = new ConnectionBatch(server, new Deadline(PATIENCE));
        wave.ask(all);
        wave.park();
        wave.restless();
        wave.takeApart();
        if (wave.apart().size() != WAVE) {
            throw new IOException(wave.apart().size() + " of " + WAVE + " connections came to rest");
        }
        records = new LinkedHashMap<>();
        wave.apart()
                .forEach((connection, record) -> records.put(connection.slot().index(), record));
        if (toEscrow) {
            await(all(wave.apart().entrySet().stream()
                    .map(e -> e.getKey()
                            .slot()
                            .store(EventLoops.descriptor(e.getKey().channel()), e.getValue()))));
        }
        wave.letGo().join();
        return records.values();
    }

    private static void store(List<Connection> connections) throws EscrowException {
        await(all(
                await(EventLoops.forEach(connections, Connection::channel, Connections::storeForCrash))
                        .values()
                        .stream()));
    }

    private static <T> T await(CompletableFuture<T> future) throws EscrowException {
        return new Deadline(PATIENCE).await(future);
    }

    @Override
    public void close() throws IOException {
        List.copyOf(server.connections().all())
                .forEach(connection -> connection.channel().close());
        peers.forEach(RehearsalPeer::close);
        server.listeners().forEach(Listener::close);
        if (old != null) {
            old.close();
        }
        if (next != null) {
            next.close();
        }
        if (escrow != null) {
            escrow.close();
        }
        endLoops().forEach(end -> end.awaitUninterruptibly(PATIENCE.toMillis()));
        for (FileDescriptor each : idlePeers) {
            each.close();
        }
    }
}
