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
import io.escrow.handover.store.UnreadableRecordException;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;

/**
 * Moves connections of its own from this process to itself, in waves, so that the Java virtual machine has loaded and compiled what a
 * handover consists of: a handover happens once in a process, and with cold code each wave takes several times as long.
 *
 * <p>Nobody sees it. The connections are pairs of UNIX-domain sockets, on an event loop of their own, with pipelines of this class. Nothing
 * is stored in the escrow, as they have a {@link RehearsalClient} of their own, and nothing is told to observers. Used by one thread.
 */
final class Rehearsal implements AutoCloseable {

    /** How many connections are moved: more make no difference that can be measured. */
    static final int CONNECTIONS = 3_000;

    /** So few at a time that a server has its descriptors for itself: each takes three. */
    static final int WAVE = 25;

    /** How long all waves together may take. */
    private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(15);

    /** How long a wave may take before the rehearsal is given up. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final String NAME = "escrow-rehearsal";

    private static final Logger logger = HandoverLog.LOGGER;

    private final EventLoopGroup group = newGroup();
    private final HandoverContext server;
    private final ConnectionAdopter adopter;
    private final List<RehearsalPeer> peers = new ArrayList<>();
    private FileDescriptor idlePeer;
    private ProcessLink old;
    private ProcessLink next;
    private RehearsalClient escrow;

    /** What there is of each connection in the escrow, by index. */
    private Map<Integer, ChannelRecord> records = new LinkedHashMap<>();

    private Rehearsal() throws EscrowException, IOException {
        try {
            ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(RehearsalPeer.serverPipeline());
            ListenerConfiguration listening = ListenerConfiguration.of(NAME, bootstrap, new DomainSocketAddress(NAME));
            server = HandoverContext.of(configuration(listening));
            adopter = new ConnectionAdopter(server, new StartNotes(), new FoundMarks());
        } catch (Throwable e) {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            throw e;
        }
    }

    private void begin() throws EscrowException, IOException {
        Listener listener = server.listeners().get(0);
        // Neither bound nor listening, but connected: epoll reports that a socket that is not has hung up, again and
        // again.
        SocketPair idle = SocketPair.open();
        idlePeer = new FileDescriptor(idle.other());
        // As it is not its own, no file is deleted with it.
        listener.inherited();
        listener.adopt(idle.one());
        listener.channel().pipeline().addFirst(new AcceptHandler(server, NAME));
        SocketPair link = SocketPair.open();
        old = new ProcessLink(group.next(), link.one());
        next = new ProcessLink(group.next(), link.other());
        SocketPair session = SocketPair.open();
        escrow = new RehearsalClient(group.next(), session.one(), session.other());
        await(server.table().begin(escrow.client()));
        for (int i = 0; i < WAVE; i++) {
            connect(i);
        }
    }

    /** Puts a connection into the escrow, as if it were served. */
    private void connect(int index) throws EscrowException, IOException {
        SocketPair pair = SocketPair.open();
        peers.add(new RehearsalPeer(group.next(), pair.one()));
        FileDescriptor served = new FileDescriptor(pair.other());
        try {
            ChannelRecord record = ChannelRecord.builder(NAME, true).build();
            records.put(index, record);
            await(server.table().newConnectionSlot().store(served, record));
        } finally {
            served.close();
        }
    }

    @SuppressWarnings("deprecation") // Netty 4.1 has no other
    private static EventLoopGroup newGroup() {
        return new EpollEventLoopGroup(1, new DefaultThreadFactory(NAME, true));
    }

    private static HandoverConfiguration configuration(ListenerConfiguration listener) {
        return new HandoverConfiguration(
                EscrowClient.builder(),
                List.of(listener),
                Map.of(NAME, Deposit.NO_BYTES),
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
                        null,
                        false,
                        RecordSeal.NONE));
    }

    /** Begins to rehearse, on a thread of its own, unless this process has done so before. */
    static void begin(RehearsalTime time) {
        if (time.begin()) {
            Thread thread = new Thread(
                    () -> {
                        PreloadedClasses.await();
                        hold(time, CONNECTIONS);
                    },
                    NAME);
            thread.setDaemon(true);
            thread.start();
        }
    }

    /**
     * Rehearses. Nothing is lost if that fails.
     *
     * @param time says before each wave when it may begin
     * @param connections how many are moved
     * @return how many connections were moved
     */
    static int hold(RehearsalTime time, int connections) {
        int moved = 0;
        long spent = 0;
        long last = 0;
        try (Rehearsal rehearsal = time.await(0) ? new Rehearsal() : null) {
            if (rehearsal != null) {
                rehearsal.begin();
            }
            while (rehearsal != null && moved < connections && spent < LONGEST_NANOS && time.await(last)) {
                final long began = System.nanoTime();
                moved += rehearsal.wave();
                last = System.nanoTime() - began;
                spent += last;
            }
            logger.debug(
                    "rehearsed a handover with {} connections of its own, in {} ms",
                    moved,
                    TimeUnit.NANOSECONDS.toMillis(spent));
        } catch (Throwable e) {
            logger.debug("a handover is not rehearsed any further", e);
        }
        return moved;
    }

    /** Takes all connections over, uses them, and takes them apart again; returns how many there are. */
    private int wave() throws IOException, EscrowException, UnreadableRecordException {
        Map<Integer, Entry> entries = new ConcurrentHashMap<>();
        try {
            fetch(entries);
            send();
            take(entries);
        } finally {
            entries.values().forEach(Entry::close);
        }
        for (RehearsalPeer peer : peers) {
            peer.ask(PATIENCE);
        }
        return give();
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
        records.forEach((index, record) -> old.write(ProcessLink.Kind.MOVED, index, record.encode()));
        old.send(ProcessLink.Kind.WAVE);
    }

    private void take(Map<Integer, Entry> entries) throws IOException, UnreadableRecordException {
        List<CompletableFuture<ConnectionAdopter.Held>> assembled = new ArrayList<>();
        ProcessLink.Message message = receive(next);
        while (message.kind() == ProcessLink.Kind.MOVED) {
            assembled.add(adopter.assemble(entries.get(message.index()), ChannelRecord.decode(message.content())));
            message = receive(next);
        }
        List<ConnectionAdopter.Held> held =
                assembled.stream().map(CompletableFuture::join).toList();
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

    private int give() throws EscrowException, IOException {
        List<Connection> all = List.copyOf(server.connections().all());
        store(all);
        // What is stored already is renewed, as it is for a crash.
        store(all);
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
        wave.letGo().join();
        return records.size();
    }

    private static void store(List<Connection> connections) throws EscrowException {
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        await(EventLoops.forEach(connections, Connection::channel, Connections::storeForCrash))
                .values()
                .forEach(stored::add);
        await(CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)));
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
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(PATIENCE.toMillis());
        if (idlePeer != null) {
            idlePeer.close();
        }
    }
}
