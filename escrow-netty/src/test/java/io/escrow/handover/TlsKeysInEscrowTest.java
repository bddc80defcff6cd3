package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.codec.Frame;
import io.escrow.handover.tls.MovableTls;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Fault;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.ValueSource;

/** Nobody goes on with the keys of a TLS connection that another process may find in the escrow. */
class TlsKeysInEscrowTest extends TlsHarness {

    private static final int CONNECTION_TAG = 1;
    private static final int MANY = 3;

    private SslContext context;

    @BeforeEach
    void makeContext() throws Exception {
        context = context(SslProvider.JDK).build();
    }

    private ServerHandoverBuilder moving() {
        return tlsServer(context).tls(MovableTls.of(context));
    }

    private List<TlsPeer> peers() throws Exception {
        List<TlsPeer> peers = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            TlsPeer peer = tlsClient();
            peer.assertEchoes("one");
            peers.add(peer);
        }
        return peers;
    }

    private void fail(Predicate<Frame> which, Fault how) {
        ((InMemoryEscrow) daemon).faults(request -> which.test(request) ? how : null);
    }

    private static boolean storesConnection(Frame request) {
        return request instanceof Frame.Add add && add.tag() == CONNECTION_TAG;
    }

    private static boolean settlesConnection(Frame request) {
        return (request instanceof Frame.Delete delete && delete.tag() == CONNECTION_TAG)
                || (request instanceof Frame.Update update && update.tag() == CONNECTION_TAG);
    }

    /** Some may not have been sent when the session is lost: those go on here. */
    @ParameterizedTest
    @EnumSource(value = Fault.class, mode = Mode.EXCLUDE, names = "REFUSED")
    void connectionIsGivenUpWhenItIsNotKnownWhetherItsKeysWereStored(Fault fault) throws Exception {
        ServerHandover server = start(moving());
        List<TlsPeer> peers = peers();
        awaitConnections(server, MANY);
        AtomicInteger asked = new AtomicInteger();
        fail(request -> storesConnection(request) && asked.incrementAndGet() > 0, fault);
        assertThrows(EscrowException.class, () -> handOver(server));
        int here = server.connections();
        assertTrue(here < MANY, "connections that go on: " + here);
        fail(request -> false, null);
        ServerHandover next = start(moving());
        // Of two packets that are on their way, the escrow does not read the second one.
        int stored = fault == Fault.ANSWER_LOST ? asked.get() : 0;
        assertTrue(here + stored <= MANY, () -> here + " go on, " + stored + " are stored");
        assertEquals(stored, next.startReport().adopted());
        assertEquals(here + stored, countEchoing(peers));
    }

    private static int countEchoing(List<TlsPeer> peers) {
        int echoing = 0;
        for (TlsPeer peer : peers) {
            try {
                peer.assertEchoes("two");
                echoing++;
            } catch (IOException e) {
                // It has ended.
            }
        }
        return echoing;
    }

    @Test
    void connectionIsGivenUpWhenItsKeysCantBeTakenBack() throws Exception {
        ServerHandover server = start(moving());
        List<TlsPeer> peers = peers();
        awaitConnections(server, MANY);
        List<Frame> stored = new ArrayList<>();
        // The last one is not stored, and those before it stay in the escrow whatever is asked.
        ((InMemoryEscrow) daemon).faults(request -> {
            if (storesConnection(request)) {
                stored.add(request);
                return stored.size() == MANY ? Fault.REFUSED : null;
            }
            return settlesConnection(request) && !stored.isEmpty() ? Fault.REFUSED : null;
        });
        assertThrows(EscrowException.class, () -> handOver(server));
        awaitConnections(server, 1);
        fail(request -> false, null);
        assertEquals(1, handOver(server).connections());
        ServerHandover next = start(moving());
        assertEquals(MANY, next.startReport().adopted());
        for (TlsPeer peer : peers) {
            peer.assertEchoes("two");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionWhoseSlotCantBeEmptiedIsLeftToTheProcessBehind(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(moving());
        List<TlsPeer> peers = peers();
        handOver(server);
        fail(TlsKeysInEscrowTest::settlesConnection, Fault.REFUSED);
        ServerHandover next = start(moving());
        assertEquals(0, next.startReport().adopted());
        assertEquals(0, next.connections());
        List<String> refused = next.startReport().refused();
        assertEquals(MANY, refused.size());
        assertTrue(refused.get(0).contains("its TLS keys may still be in the escrow"), refused.toString());
        fail(request -> false, null);
        handOver(next);
        int left = start(moving()).startReport().adopted();
        // A crash-safe server empties the slots of what has ended here, and may come to that when it can again.
        assertTrue(crashSafe || left == MANY, "adopted: " + left);
        assertEquals(left, countEchoing(peers));
    }

    @ParameterizedTest
    @EnumSource(value = Fault.class, mode = Mode.EXCLUDE, names = "REFUSED")
    void nobodyGoesOnWhenItIsNotKnownWhetherTheSlotWasEmptied(Fault fault) throws Exception {
        ServerHandover server = start(moving());
        List<TlsPeer> peers = peers();
        handOver(server);
        AtomicInteger emptied = new AtomicInteger();
        fail(request -> settlesConnection(request) && emptied.incrementAndGet() > 0, fault);
        moving().start()
                .handle((next, failure) -> next == null ? null : add(next))
                .join();
        assertTrue(emptied.get() > 0);
        fail(request -> false, null);
        ServerHandover third = start(moving());
        int left = third.startReport().adopted();
        assertEquals(fault == Fault.REQUEST_LOST, left == MANY, "adopted: " + left);
        // The rest has ended.
        assertEquals(left, countEchoing(peers));
    }
}
