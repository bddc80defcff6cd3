package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Capacity;
import io.netty.channel.Channel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS connections move, as others do. */
class TlsHandoverTest extends TlsMoves {

    private static final int MANY = 6;

    private Capacity capacity = Capacity.LARGE;

    @Override
    protected AutoCloseable startDaemon(Path path) {
        return InMemoryEscrow.start(path, capacity);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "TLSv1.3 TLS_AES_128_GCM_SHA256",
                "TLSv1.3 TLS_AES_256_GCM_SHA384",
                "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256",
                "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "TLSv1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
            })
    void connectionMovesAgainAndAgain(String suite) throws Exception {
        String[] names = suite.split(" ", 2);
        context = context(provider())
                .protocols(names[0])
                .ciphers(List.of(names[1]))
                .build();
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        for (int i = 0; i < 20; i++) {
            server = move(server, moving());
            peer.assertEchoes(Peer.bytes(20_000, i));
            peer.assertEchoes("two");
        }
    }

    /** Half of them have sent half a record, or half of what is in one, and some do not read. */
    private final class Traffic {
        private final List<TlsPeer> peers = new ArrayList<>();
        private final List<byte[]> rest = new ArrayList<>();

        Traffic() throws Exception {
            for (int i = 0; i < MANY; i++) {
                TlsPeer peer = tlsClient();
                peer.assertEchoes("first");
                byte[] left = new byte[0];
                if (i % 2 == 0) {
                    byte[] records = peer.encrypt(Peer.framed(Peer.bytes(20_000, i)));
                    // In the header, in the first record, and in the second one.
                    int cut = List.of(3, 9_000, 17_000).get(i / 2 % 3);
                    peer.sendRaw(records, 0, cut);
                    left = Arrays.copyOfRange(records, cut, records.length);
                } else if (i % 6 == 1) {
                    peer.send(Peer.framed(Peer.bytes(1_000_000, i)));
                }
                peers.add(peer);
                rest.add(left);
            }
        }

        void assertUnharmed() throws Exception {
            for (int i = 0; i < MANY; i++) {
                TlsPeer peer = peers.get(i);
                peer.sendRaw(rest.get(i), 0, rest.get(i).length);
                if (i % 2 == 0) {
                    peer.assertReceives(Peer.framed(Peer.bytes(20_000, i)));
                } else if (i % 6 == 1) {
                    peer.assertReceives(Peer.framed(Peer.bytes(1_000_000, i)));
                }
                peer.assertEchoes("last");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void halfRecordsAndUnsentOnesMove(String protocol) throws Exception {
        useVersion(protocol);
        ServerHandover server = start(moving());
        Traffic traffic = new Traffic();
        for (int i = 0; i < 3; i++) {
            server = move(server, moving(), MANY);
        }
        traffic.assertUnharmed();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsMoveInWaves(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        useVersion("TLSv1.3");
        ServerHandover server = start(moving().waves(Duration.ofMillis(50)));
        Traffic traffic = new Traffic();
        for (int i = 0; i < 3; i++) {
            CompletableFuture<ServerHandover> starting = startNext(moving().waves(Duration.ofMillis(50)));
            HandoverReport report = handOver(server);
            assertEquals(List.of(), report.staying());
            assertEquals(MANY, report.connections());
            server = add(starting.join());
            assertEquals(MANY, server.startReport().adopted());
        }
        traffic.assertUnharmed();
    }

    @SuppressWarnings("try") // the refusing one closes in the middle, and again at the end
    @Test
    void waveThatIsRefusedGoesOnWithTheSameKeys() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover first = start(moving());
        Traffic traffic = new Traffic();
        ServerHandover server = move(first, moving().waves(Duration.ofMillis(50)), MANY);
        try (FakeSuccessor refusing = new FakeSuccessor(escrow(), group.next())) {
            CompletableFuture<HandoverReport> handover = server.handOver(TIME);
            refusing.meeting();
            refusing.awaitWave();
            refusing.close();
            assertEquals(MANY, handover.join().connections());
        }
        assertEquals(MANY, start(moving()).startReport().adopted());
        traffic.assertUnharmed();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void serverThatCantHandOverGoesOnWithTheSameKeys(boolean moved) throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        Traffic traffic = new Traffic();
        if (moved) {
            server = move(server, moving(), MANY);
        }
        limit(server, new Capacity(1000, 100_000, 1000));
        ServerHandover failing = server;
        EscrowException full = assertThrows(EscrowException.class, () -> handOver(failing));
        assertEquals(Status.ENOSPC, full.status());
        traffic.assertUnharmed();
        traffic = new Traffic();
        limit(server, Capacity.LARGE);
        move(server, moving(), 2 * MANY);
        traffic.assertUnharmed();
    }

    private void limit(ServerHandover server, Capacity limits) throws Exception {
        capacity = limits;
        CompletableFuture<?> lost = server.context().client().closed().toCompletableFuture();
        daemon.close();
        lost.join();
        restartDaemon();
    }

    @Test
    void serverGoesOnWhenTheDaemonIsGone() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        Traffic traffic = new Traffic();
        CompletableFuture<?> lost = server.context().client().closed().toCompletableFuture();
        daemon.close();
        lost.join();
        assertThrows(EscrowException.class, () -> handOver(server));
        traffic.assertUnharmed();
        restartDaemon();
        move(server, moving(), MANY);
    }

    @Test
    void keysAreRenewedBeforeAndAfterAMove() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        for (int i = 0; i < 3; i++) {
            peer.assertEchoes("one");
            peer.updateKeys();
            peer.assertEchoes("two");
            server = move(server, moving());
        }
        peer.updateKeys();
        peer.assertEchoes("three");
    }

    @Test
    void whatNobodyAsksForMovesOn() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        byte[] records = peer.encrypt(Peer.framed(Peer.bytes(20_000, 1)));
        peer.sendRaw(records, 0, 17_000);
        Consumer<Channel> notReading = ch -> {
            echo(ch, context);
            ch.config().setAutoRead(false);
        };
        server = move(server, moving(notReading));
        server = move(server, moving(notReading));
        server = move(server, moving());
        peer.sendRaw(records, 17_000, records.length);
        peer.assertReceives(Peer.framed(Peer.bytes(20_000, 1)));
        assertEquals(1, server.connections());
    }
}
