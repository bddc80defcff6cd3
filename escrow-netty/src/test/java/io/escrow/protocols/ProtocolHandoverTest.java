package io.escrow.protocols;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.client.BlockingEscrow;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.Peer;
import io.escrow.handover.ServerHandover;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Moves connections of a protocol that is not the library's: its decoder keeps state inside a message. */
class ProtocolHandoverTest extends ProtocolHarness {

    private static final byte[] BODY = Peer.bytes(5, 1);
    private static final byte[] LONG_BODY = Peer.bytes(15_000, 2);

    private CountingProtocol protocol = new CountingProtocol();

    private ServerHandover next(ServerHandover before, boolean inWaves) throws Exception {
        protocol = new CountingProtocol();
        return next(before, counting(protocol, inWaves));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void halfMessagesGoAlong(boolean inWaves) throws Exception {
        ServerHandover server = start(counting(protocol, inWaves));
        Peer peer = connect();
        byte[] message = message(BODY);
        int count = 0;
        assertAnswered(peer, ++count, BODY);
        for (int split = 0; split < message.length; split++) {
            for (int i = 0; i < split; i++) {
                peer.sendRaw(message[i]);
                int there = i + 1;
                CountingProtocol.Framing connection = connection(protocol, 0);
                await().pollInterval(Duration.ofMillis(2)).until(() -> connection.seen == there);
            }
            server = next(server, inWaves);
            assertEquals(1, server.startReport().adopted(), server.startReport()::toString);
            peer.sendRaw(message, split, message.length);
            peer.assertReceivesRaw(answer(++count, BODY));
        }
        assertAnswered(peer, ++count, BODY);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void stateIsRestoredBeforeTheFirstRead(boolean inWaves) throws Exception {
        ServerHandover server = start(counting(protocol, inWaves));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        assertAnswered(peer, 2, BODY);
        CompletableFuture<Void> gate = new CompletableFuture<>();
        CompletableFuture<Integer> saved = new CompletableFuture<>();
        CountingProtocol waiting = new CountingProtocol().beforeRestore(in -> {
            saved.complete(in.getInt(in.readerIndex()));
            assertEquals(Integer.BYTES, in.readableBytes());
            return gate;
        });
        CompletableFuture<ServerHandover> starting = counting(waiting, inWaves).start();
        peer.sendRaw(message(BODY), 0, 4);
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        assertEquals(2, saved.join());
        // It waits for its state with the rest of the message, and the next.
        peer.sendRaw(message(BODY), 4, 7);
        peer.sendRaw(message(LONG_BODY));
        assertFalse(starting.isDone());
        CountingProtocol.Framing connection = connection(waiting, 0);
        onLoop(connection, () -> gate.complete(null));
        handover.join();
        add(starting.join());
        peer.assertReceivesRaw(answer(3, BODY));
        peer.assertReceivesRaw(answer(4, LONG_BODY));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void longMessageIsFinishedFirst(boolean inWaves) throws Exception {
        ServerHandover server = start(counting(protocol, inWaves));
        Peer peer = connect();
        byte[] message = message(LONG_BODY);
        peer.sendRaw(message, 0, 5_000);
        CountingProtocol.Framing before = connection(protocol, 0);
        await().until(() -> !onLoop(before, before::isAtRest));
        CompletableFuture<ServerHandover> starting =
                counting(new CountingProtocol(), inWaves).start();
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> !server.listeners().get(0).isRegistered());
        peer.sendRaw(message, 5_000, message.length - 1);
        assertFalse(handover.isDone());
        peer.sendRaw(message, message.length - 1, message.length);
        assertEquals(1, handover.join().connections());
        add(starting.join());
        peer.assertReceivesRaw(answer(1, LONG_BODY));
        assertAnswered(peer, 2, BODY);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void noMessageBeginsWhileOneIsNotAnswered(boolean inWaves) throws Exception {
        ServerHandover server = start(counting(protocol, inWaves));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        CountingProtocol.Framing before = connection(protocol, 0);
        onLoop(before, () -> {
            before.handler().silence(true);
            return null;
        });
        peer.sendRaw(message(BODY));
        await().until(() -> onLoop(before, () -> before.handler().unanswered()) == 1);
        CompletableFuture<ServerHandover> starting =
                counting(new CountingProtocol(), inWaves).start();
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> !server.listeners().get(0).isRegistered());
        // Asks whether it is at rest, so the gate is shut.
        CompletableFuture<Void> asked = asked(before);
        asked.join();
        peer.sendRaw(message(LONG_BODY));
        await().until(() -> before.seen > 0);
        assertFalse(handover.isDone());
        assertEquals(2, onLoop(before, () -> before.handler().count()));
        onLoop(before, () -> {
            before.handler().silence(false);
            return null;
        });
        assertEquals(1, handover.join().connections());
        add(starting.join());
        assertEquals(2, before.handler().count());
        peer.assertReceivesRaw(answer(2, BODY));
        peer.assertReceivesRaw(answer(3, LONG_BODY));
    }

    private static CompletableFuture<Void> asked(CountingProtocol.Framing connection) {
        CompletableFuture<Void> asked = new CompletableFuture<>();
        connection.onAsked = () -> asked.complete(null);
        return asked;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatCannotBeMovedStays(boolean inWaves) throws Exception {
        ServerHandover server = start(counting(protocol, inWaves));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        connection(protocol, 0).immovable = "it has a reason";
        Peer moving = connect();
        assertAnswered(moving, 1, BODY);
        Peer nonsense = connect();
        nonsense.sendRaw((byte) 0xFF, (byte) 0xFF, (byte) 1);
        await().until(() -> connection(protocol, 2).whyImmovable() != null);
        CompletableFuture<ServerHandover> starting =
                counting(new CountingProtocol(), inWaves).start();
        HandoverReport report = handOver(server);
        assertEquals(1, report.connections(), report::toString);
        assertEquals(
                List.of("a body is too long", "it has a reason"),
                report.staying().stream()
                        .map(HandoverReport.Staying::reason)
                        .sorted()
                        .toList());
        assertEquals(1, add(starting.join()).startReport().adopted());
        assertAnswered(peer, 2, BODY);
        assertAnswered(moving, 2, BODY);
        assertFalse(server.drained().isDone());
        peer.close();
        nonsense.close();
        server.drained().join();
    }

    @Test
    void farewellIsStoredForUnclaimedConnections() throws Exception {
        ServerHandover server = start(counting(protocol));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        handOver(server);
        List<byte[]> farewells = new ArrayList<>();
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.getAll(1, entry -> {
                try (Entry closed = entry) {
                    farewells.add(closed.farewell());
                }
            });
        }
        assertEquals(1, farewells.size());
        assertArrayEquals(CountingProtocol.FAREWELL, farewells.get(0));
        start(counting(new CountingProtocol()));
        assertAnswered(peer, 2, BODY);
    }

    @Test
    void checkpointOfTheProtocolIsWhatIsFoundAfterACrash() throws Exception {
        crashSafe = true;
        protocol.checkpoints = true;
        ServerHandover server = start(counting(protocol));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        assertAnswered(peer, 2, BODY);
        CountingProtocol.Framing connection = connection(protocol, 0);
        assertTrue(onLoop(connection, () -> connection.context().isEscrowed()));
        protocol.checkpoints = false;
        checkpointOnly(server);
        assertAnswered(peer, 3, BODY);
        crash(server);

        ServerHandover next = start(counting(new CountingProtocol()));
        assertEquals(1, next.startReport().foundAfterCrash());
        assertAnswered(peer, 3, BODY);
    }

    @Test
    void connectionOfAServerThatIsNotCrashSafeIsNotEscrowed() throws Exception {
        start(counting(protocol));
        assertAnswered(connect(), 1, BODY);
        CountingProtocol.Framing connection = connection(protocol, 0);
        assertFalse(onLoop(connection, () -> connection.context().isEscrowed()));
        connection.context().checkpoint().join();
    }
}
