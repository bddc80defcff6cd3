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
import io.escrow.handover.tls.source.RehearsalTls;
import io.escrow.handover.tls.source.TlsSources;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandler;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;

/**
 * Moves connections of its own from this process to itself, in waves, so that the Java virtual machine has loaded and compiled what a
 * handover consists of: a handover happens once in a process, and with cold code each wave takes several times as long.
 *
 * <p>Nobody sees it. The connections are pairs of UNIX-domain sockets, on an event loop of their own, with pipelines of this class. Nothing
 * is stored in the escrow, as they have a {@link RehearsalClient} of their own, and nothing is told to observers. Used by one thread.
 *
 * <p>For a server whose TLS moves, most of them have TLS, with {@linkplain RehearsalTls keys of their own}.
 */
final class Rehearsal implements AutoCloseable {

    /** How many connections are moved: more make no difference that can be measured. */
    static final int CONNECTIONS = 3_000;

    /** So few at a time that a server has its descriptors for itself: each takes three. */
    static final int WAVE = 25;

    /** How many of a wave have no TLS, if others have. */
    static final int PLAIN = 5;

    /** How long all waves together may take. */
    private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(15);

    /** How long a wave may take before the rehearsal is given up. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final String NAME = "escrow-rehearsal";
    private static final String TLS_NAME = "escrow-rehearsal-tls";

    private static final Logger logger = HandoverLog.LOGGER;

    private final EventLoopGroup group = newGroup();
    private final HandoverContext server;
    private final ConnectionAdopter adopter;
    private final List<RehearsalPeer> peers = new ArrayList<>();
    private final List<FileDescriptor> idlePeers = new ArrayList<>();
    private final boolean tls;
    private ProcessLink old;
    private ProcessLink next;
    private RehearsalClient escrow;

    /** What there is of each connection in the escrow, by index. */
    private Map<Integer, ChannelRecord> records = new LinkedHashMap<>();

    /**
     * How many connections were moved.
     *
     * @param all with and without TLS
     * @param encrypted those with TLS
     */
    record Moved(int all, int encrypted) {
        private Moved with(Collection<ChannelRecord> wave) {
            int keys = (int) wave.stream().filter(ChannelRecord::hasKeys).count();
            return new Moved(all + wave.size(), encrypted + keys);
        }
    }

    private Rehearsal(boolean tls) throws EscrowException, IOException {
        this.tls = tls;
        try {
            List<ListenerConfiguration> listeners = new ArrayList<>();
            listeners.add(listening(NAME, null));
            if (tls) {
                listeners.add(listening(TLS_NAME, RehearsalTls::fresh));
            }
            server = HandoverContext.of(configuration(listeners, tls));
            adopter = new ConnectionAdopter(server, new StartNotes(), new FoundMarks());
        } catch (Throwable e) {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            throw e;
        }
    }

    private ListenerConfiguration listening(String name, Supplier<ChannelHandler> encryption) {
        ServerBootstrap bootstrap =
                new ServerBootstrap().group(group).childHandler(RehearsalPeer.serverPipeline(encryption));
        return ListenerConfiguration.of(name, bootstrap, new DomainSocketAddress(name));
    }

    private void begin() throws EscrowException, IOException {
        for (Listener listener : server.listeners()) {
            // Neither bound nor listening, but connected: epoll reports that a socket that is not has hung up, again
            // and again.
            SocketPair idle = SocketPair.open();
            idlePeers.add(new FileDescriptor(idle.other()));
            // As it is not its own, no file is deleted with it.
            listener.inherited();
            listener.adopt(idle.one());
            listener.channel().pipeline().addFirst(new AcceptHandler(server, listener.name()));
        }
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
        RehearsalTls keys = tls && index >= PLAIN ? new RehearsalTls(index) : null;
        ChannelRecord.Builder record = ChannelRecord.builder(keys == null ? NAME : TLS_NAME, true);
        if (keys != null) {
            record.put(ChannelRecord.TLS, keys.server());
        }
        SocketPair pair = SocketPair.open();
        peers.add(new RehearsalPeer(group.next(), pair.one(), keys == null ? null : keys.client()));
        FileDescriptor served = new FileDescriptor(pair.other());
        try {
            records.put(index, record.build());
            await(server.table().newConnectionSlot().store(served, records.get(index)));
        } finally {
            served.close();
        }
    }

    @SuppressWarnings("deprecation") // Netty 4.1 has no other
    private static EventLoopGroup newGroup() {
        return new EpollEventLoopGroup(1, new DefaultThreadFactory(NAME, true));
    }

    private static HandoverConfiguration configuration(List<ListenerConfiguration> listeners, boolean tls) {
        return new HandoverConfiguration(
                EscrowClient.builder(),
                listeners,
                Map.of(NAME, Deposit.NO_BYTES, TLS_NAME, Deposit.NO_BYTES),
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
     * Begins to rehearse, on a thread of its own, unless this process has done so before.
     *
     * @param tls whether there is TLS in it
     */
    static void begin(RehearsalTime time, boolean tls) {
        if (time.begin(tls)) {
            Thread thread = new Thread(
                    () -> {
                        PreloadedClasses.await();
                        hold(time, CONNECTIONS, tls);
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
     * @param tls whether most of them have TLS, if TLS can move in this process
     * @return how many connections were moved
     */
    static Moved hold(RehearsalTime time, int connections, boolean tls) {
        Moved moved = new Moved(0, 0);
        long spent = 0;
        long last = 0;
        try (Rehearsal rehearsal = time.await(0) ? new Rehearsal(tls && RehearsalTls.isPossible()) : null) {
            if (rehearsal != null) {
                rehearsal.begin();
            }
            while (rehearsal != null && moved.all() < connections && spent < LONGEST_NANOS && time.await(last)) {
                final long began = System.nanoTime();
                moved = moved.with(rehearsal.wave());
                last = System.nanoTime() - began;
                spent += last;
            }
            logger.debug(
                    "rehearsed a handover with {} connections of its own, {} of them with TLS, in {} ms",
                    moved.all(),
                    moved.encrypted(),
                    TimeUnit.NANOSECONDS.toMillis(spent));
        } catch (Throwable e) {
            logger.debug("a handover is not rehearsed any further", e);
        }
        return moved;
    }

    /** Takes all connections over, uses them, and takes them apart again; returns their records. */
    private Collection<ChannelRecord> wave() throws IOException, EscrowException, UnreadableRecordException {
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

    private Collection<ChannelRecord> give() throws EscrowException, IOException {
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
        return records.values();
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
        for (FileDescriptor each : idlePeers) {
            each.close();
        }
    }
}
