package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.handover.store.HandoverRecord;
import io.escrow.handover.tls.MovableTls;
import io.escrow.testing.Certificates;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.ssl.OpenSslSessionContext;
import io.netty.handler.ssl.OpenSslSessionStats;
import io.netty.handler.ssl.OpenSslSessionTicketKey;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.DataInputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients resume their sessions with the next process. */
class SessionTicketsTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(100, 1);

    private KeyManagerFactory keys;
    private SSLContext client;

    @BeforeEach
    void makeClient() throws Exception {
        keys = Certificates.keys("localhost");
        client = SSLContext.getInstance("TLS");
        client.init(null, Certificates.trusting("localhost").getTrustManagers(), null);
    }

    /** Makes a context as another process would: with nothing of those before. */
    private SslContext context(String version) throws Exception {
        return SslContextBuilder.forServer(keys)
                .sslProvider(SslProvider.OPENSSL)
                .protocols(version)
                .build();
    }

    private ServerHandoverBuilder server(SslContext context, MovableTls tls) {
        return server(bootstrap(ch -> ch.pipeline()
                        .addLast(
                                context.newHandler(ch.alloc()),
                                new LengthFieldBasedFrameDecoder(1 << 20, 0, 4),
                                new Echo())))
                .tls(tls);
    }

    private ServerHandoverBuilder server(SslContext context) {
        return server(context, MovableTls.of(context));
    }

    private static OpenSslSessionContext sessions(SslContext context) {
        return (OpenSslSessionContext) context.sessionContext();
    }

    private static OpenSslSessionStats stats(SslContext context) {
        return sessions(context).stats();
    }

    /** Connects as the same client as before, and returns when its session was made. */
    private long exchange(ServerHandover server) throws Exception {
        long made;
        try (SSLSocket socket = (SSLSocket) client.getSocketFactory().createSocket("localhost", port)) {
            socket.setSoTimeout((int) TIME.toMillis());
            socket.getOutputStream().write(Peer.framed(RECORD));
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] answer = new byte[in.readInt()];
            in.readFully(answer);
            assertArrayEquals(RECORD, answer);
            // By name and port the client finds its session again.
            made = socket.getSession().getCreationTime();
        }
        awaitConnections(server, 0);
        return made;
    }

    private static void assertResumed(SslContext context, int count) {
        assertEquals(count, stats(context).ticketKeyResume() + stats(context).ticketKeyRenew(), "resumed sessions");
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void sessionsAreResumedAfterAHandover(String version) throws Exception {
        ServerHandover server = start(server(context(version)).seal(SealKeys.of(new byte[32])));
        long made = exchange(server);
        for (int i = 0; i < 3; i++) {
            handOver(server);
            SslContext next = context(version);
            server = start(server(next).seal(SealKeys.of(new byte[32])));
            assertEquals(List.of(), server.startReport().left());
            assertEquals(made, exchange(server));
            assertResumed(next, 1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void sessionsAreResumedAfterACrash(String version) throws Exception {
        crashSafe = true;
        ServerHandover server = start(server(context(version)));
        exchange(server);
        for (int i = 0; i < 2; i++) {
            crash(server);
            SslContext next = context(version);
            server = start(server(next));
            exchange(server);
            assertResumed(next, 1);
        }
    }

    @Test
    void sessionsAreResumedAfterWaves() throws Exception {
        ServerHandover server = start(server(context("TLSv1.3")).waves(Duration.ofMillis(50)));
        exchange(server);
        SslContext context = context("TLSv1.3");
        CompletableFuture<ServerHandover> next = startNext(server(context));
        handOver(server);
        exchange(add(next.join()));
        assertResumed(context, 1);
    }

    @Test
    void sessionsAreResumedAfterAHandoverThatFailed() throws Exception {
        SslContext context = context("TLSv1.3");
        List<SealKeys> keysOfSeal = new ArrayList<>(List.of(SealKeys.of(key(1))));
        ServerHandover server = start(server(context).seal(SealKeys.from(() -> keysOfSeal.get(0))));
        exchange(server);
        keysOfSeal.set(0, null);
        assertThrows(EscrowException.class, () -> handOver(server));
        keysOfSeal.set(0, SealKeys.of(key(1)));
        exchange(server);
        assertTrue(stats(context).ticketKeyResume() > 0);
        awaitListenerSlots(server, 0);
        handOver(server);
        SslContext next = context("TLSv1.3");
        ServerHandover last = start(server(next).seal(SealKeys.of(key(1))));
        exchange(last);
        assertResumed(next, 1);
        awaitListenerSlots(last, 0);
    }

    /** Waits until the escrow of a running server has as many listeners and records of ticket keys. */
    private static void awaitListenerSlots(ServerHandover server, int count) {
        await().until(() -> server.context().client().tag(0).join().used() == count);
    }

    @Test
    void aSecondSealedRecordIsNotNeeded() throws Exception {
        handOver(start(server(context("TLSv1.3")).seal(SealKeys.of(key(1)))));
        assertEquals(Set.of("sealed:tickets"), tickets().sections().keySet());

        // Without the key there are new tickets, and the record stays for those that have it.
        ServerHandover without = start(server(context("TLSv1.3")).seal(SealKeys.of(key(2))));
        assertEquals(1, without.startReport().left().size());
        String left = without.startReport().left().get(0);
        assertTrue(left.startsWith("keys of session tickets in slot 0/"), left);
        assertTrue(left.contains("is sealed with the key "), left);
        exchange(without);
        handOver(without);

        // With both keys the newer ones count, and one record is left.
        ServerHandover both = start(server(context("TLSv1.3")).seal(SealKeys.of(key(2), key(1))));
        exchange(both);
        assertEquals(List.of(), both.startReport().left());
    }

    private static byte[] key(int fill) {
        byte[] key = new byte[32];
        Arrays.fill(key, (byte) fill);
        return key;
    }

    /** Returns the record of ticket keys in the escrow of which nobody has the session. */
    private HandoverRecord tickets() throws Exception {
        List<Entry> entries = new ArrayList<>();
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.getAll(0, entries::add).orThrow();
        }
        entries.forEach(Entry::close);
        return entries.stream()
                .map(entry -> HandoverRecord.of(entry.payload()).orElseThrow())
                .filter(HandoverRecord::isTickets)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aServerWithAKeyTakesNoKeysThatAreNotSealed() throws Exception {
        ServerHandover server = start(server(context("TLSv1.3")));
        exchange(server);
        handOver(server);
        assertEquals(Set.of("tickets"), tickets().sections().keySet());
        SslContext next = context("TLSv1.3");
        ServerHandover sealed = start(server(next).seal(SealKeys.of(key(1))));
        assertEquals(List.of(), sealed.startReport().left());
        exchange(sealed);
        assertResumed(next, 0);
        handOver(sealed);
        assertEquals(Set.of("sealed:tickets"), tickets().sections().keySet());
        ServerHandover back = start(server(context("TLSv1.3")));
        assertEquals(1, back.startReport().left().size());
        back.close();
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.deleteAll(escrow.list(0).stream()
                    .map(slot -> new io.escrow.SlotKey(0, slot.index()))
                    .iterator());
        }
    }

    @Test
    void keysChangeInARunningServer() throws Exception {
        crashSafe = true;
        SslContext context = context("TLSv1.3");
        ServerHandover server =
                start(server(context, MovableTls.of(context).ticketKeys(Duration.ofMillis(200), Duration.ofHours(1))));
        exchange(server);
        // A ticket of the key before is accepted, and a new one issued in its place.
        await().until(() -> {
            exchange(server);
            return stats(context).ticketKeyRenew() > 0;
        });
        crash(server);
        SslContext next = context("TLSv1.3");
        exchange(start(server(next)));
        assertResumed(next, 1);
    }

    @Test
    void keysOfTheUserAreLeftAlone() throws Exception {
        SslContext context = context("TLSv1.3");
        sessions(context).setTicketKeys(new OpenSslSessionTicketKey(new byte[16], new byte[16], new byte[16]));
        ServerHandover server = start(server(context));
        exchange(server);
        handOver(server);
        SslContext next = context("TLSv1.3");
        sessions(next).setTicketKeys(new OpenSslSessionTicketKey(new byte[16], new byte[16], new byte[16]));
        ServerHandover last = start(server(next));
        assertFalse(last.context().tickets().isShared());
        exchange(last);
        assertResumed(next, 1);
    }

    @Test
    void nothingIsSharedWhenThatIsNotWanted() throws Exception {
        SslContext context = context("TLSv1.3");
        ServerHandover server = start(server(context, MovableTls.of(context).withoutTicketKeys()));
        exchange(server);
        exchange(server);
        assertResumed(context, 0);
        assertFalse(server.context().tickets().isShared());
    }

    @Test
    void contextsDoNotResumeEachOthersSessions() throws Exception {
        SslContext one = context("TLSv1.3");
        SslContext other = context("TLSv1.3");
        MovableTls both = MovableTls.of(one, other);
        ServerHandover server = start(server(one, both));
        exchange(server);
        handOver(server);
        SslContext otherAgain = context("TLSv1.3");
        ServerHandover next = start(server(otherAgain, MovableTls.of(context("TLSv1.3"), otherAgain)));
        exchange(next);
        assertResumed(otherAgain, 0);
        assertEquals(1, stats(otherAgain).ticketKeyFail());
    }
}
