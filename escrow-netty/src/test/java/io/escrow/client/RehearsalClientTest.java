package io.escrow.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.handover.link.SocketPair;
import io.escrow.testing.EventLoopGroups;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Asks the daemon of a rehearsal for what a handover asks for. */
class RehearsalClientTest {

    private static final int MANY = 300;

    private final EventLoopGroup group = EventLoopGroups.epoll(1, "rehearsal-client-test");
    private RehearsalClient session;
    private EscrowClient client;

    @BeforeEach
    void connect() throws Exception {
        SocketPair pair = SocketPair.open();
        session = new RehearsalClient(group.next(), pair.one(), pair.other());
        client = session.client();
    }

    @AfterEach
    void end() {
        session.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private static Status status(CompletableFuture<?> failed) {
        ExecutionException e = assertThrows(ExecutionException.class, () -> failed.get(10, TimeUnit.SECONDS));
        return ((EscrowException) e.getCause()).status();
    }

    private static FileDescriptor descriptor(List<FileDescriptor> all) throws IOException {
        SocketPair pair = SocketPair.open();
        all.add(new FileDescriptor(pair.one()));
        all.add(new FileDescriptor(pair.other()));
        return all.get(all.size() - 1);
    }

    @Test
    void storesUpdatesFetchesAndEmptiesSlots() throws Exception {
        List<FileDescriptor> open = new ArrayList<>();
        client.add(1, 2, descriptor(open), "old".getBytes(UTF_8)).get();
        client.update(1, 2, "new".getBytes(UTF_8)).get();
        for (FileDescriptor each : open) {
            each.close();
        }

        try (Entry entry = client.get(1, 2).get()) {
            assertArrayEquals("new".getBytes(UTF_8), entry.payload());
            assertTrue(entry.hasDescriptor());
        }
        client.delete(1, 2).get();
        assertEquals(Status.ENOENT, status(client.get(1, 2)));
        assertEquals(Status.ENOENT, status(client.delete(1, 2)));
        assertEquals(Status.ENOENT, status(client.update(1, 2, Deposit.NO_BYTES)));
        assertEquals(0, client.tag(1).get().used());
    }

    @Test
    void fetchesMoreThanAPacketHas() throws Exception {
        List<FileDescriptor> open = new ArrayList<>();
        List<Deposit> deposits = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            deposits.add(new Deposit(1, i, descriptor(open), Deposit.NO_BYTES));
        }
        assertEquals(MANY, client.addAll(deposits.iterator()).get().succeeded());
        for (FileDescriptor each : open) {
            each.close();
        }

        List<Entry> entries = new ArrayList<>();
        assertEquals(
                MANY,
                client.getAll(
                                IntStream.range(0, MANY)
                                        .mapToObj(i -> new SlotKey(1, i))
                                        .iterator(),
                                entries::add)
                        .get()
                        .succeeded());
        assertEquals(MANY, entries.stream().filter(Entry::hasDescriptor).count());
        entries.forEach(Entry::close);
    }

    @Test
    void failsWhenTheOtherEndIsClosed() throws Exception {
        SocketPair pair = SocketPair.open();
        new FileDescriptor(pair.other()).close();
        SocketPair another = SocketPair.open();
        try (RehearsalClient broken = new RehearsalClient(group.next(), pair.one(), another.other())) {
            assertThrows(EscrowException.class, broken::client);
        } finally {
            new FileDescriptor(another.one()).close();
        }
    }

    @Test
    void endsItsClient() throws Exception {
        session.close();

        client.closed().toCompletableFuture().get(10, TimeUnit.SECONDS);
        assertFalse(client.eventLoop().isShuttingDown());
    }
}
