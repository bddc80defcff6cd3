package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.link.ProtocolVersion;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.testing.PublicFutures;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Hands over in waves between a server of this version and a process of another one. */
class WaveVersionsTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);
    private static final byte[] FRAMED = Peer.framed(RECORD);
    private static final int HALF = 300;
    private static final int COUNT = 50;

    /** Process of a later version that does not talk to this one any more, and of an unlikely one. */
    static List<ProtocolVersion> unfit() {
        return List.of(new ProtocolVersion(3, 3, 0), new ProtocolVersion(200, 255, -1), new ProtocolVersion(0, 0, 0));
    }

    private ServerHandoverBuilder waves() {
        return echoServer().waves(Duration.ofMillis(20));
    }

    /** Each has sent the first part of a record. */
    private List<Peer> halfHeardPeers(ServerHandover server) throws Exception {
        List<Peer> peers = connect(COUNT);
        for (Peer peer : peers) {
            peer.sendRaw(FRAMED, 0, HALF);
        }
        awaitConnections(server, COUNT);
        return peers;
    }

    private static void assertUnharmed(List<Peer> peers) throws Exception {
        for (Peer peer : peers) {
            peer.sendRaw(FRAMED, HALF, FRAMED.length);
            peer.assertReceives(RECORD);
            peer.assertEchoes(RECORD);
        }
    }

    @ParameterizedTest
    @MethodSource("unfit")
    @SuppressWarnings("try") // closed before its scope ends
    void allIsStoredForASuccessorThatDoesNotFit(ProtocolVersion other) throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = halfHeardPeers(server);
        try (FakeSuccessor next = new FakeSuccessor(escrow(), group.next())) {
            CompletableFuture<HandoverReport> handover = server.handOver(TIME);
            ProcessLink.Message first = next.meeting();
            assertEquals(ProcessLink.Kind.WELCOME, first.kind());
            assertEquals(ProtocolVersion.OWN, ProtocolVersion.decode(first.content()));
            next.ready(other.encode());
            assertEquals(ProcessLink.Kind.END, next.link.receive().kind());
            assertFalse(handover.isDone());
            next.close();
            assertEquals(COUNT, handover.join().connections());
        }
        assertEquals(COUNT, start(waves()).startReport().adopted());
        assertUnharmed(peers);
    }

    @ParameterizedTest
    @MethodSource("unfit")
    @SuppressWarnings("try") // closed before its scope ends
    void theNextWaitsForItsTurnBehindAServerThatDoesNotFit(ProtocolVersion other) throws Exception {
        List<Peer> peers = handOverAtOnce();
        try (FakePredecessor before = new FakePredecessor(escrow(), group.next())) {
            CompletableFuture<ServerHandover> starting = waves().start();
            before.meet(other.encode());
            assertEquals(ProcessLink.Kind.END, before.link.receive().kind());
            before.storeAll();
            assertFalse(starting.isDone());
            before.close();
            ServerHandover next = add(starting.join());
            assertEquals(COUNT, next.startReport().adopted());
            assertEquals(List.of(), next.startReport().refused());
            assertEquals(List.of(), next.startReport().left());
        }
        assertUnharmed(peers);
    }

    @Test
    void aStartThatWaitsAgainCanBeCancelled() throws Exception {
        List<Peer> peers = handOverAtOnce();
        try (FakePredecessor before = new FakePredecessor(escrow(), group.next())) {
            CompletableFuture<ServerHandover> starting = waves().start();
            before.meet(unfit().get(0).encode());
            assertEquals(ProcessLink.Kind.END, before.link.receive().kind());
            before.storeAll();
            // It may not have queued again yet; until then it can't be cancelled.
            org.awaitility.Awaitility.await().until(() -> starting.cancel(false));
            PublicFutures.assertCancelled(starting);
        }
        assertEquals(COUNT, start(waves()).startReport().adopted());
        assertUnharmed(peers);
    }

    private List<Peer> handOverAtOnce() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = halfHeardPeers(server);
        handOver(server);
        return peers;
    }

    @Test
    void version1HandsOverInWaves() throws Exception {
        List<Peer> peers = handOverAtOnce();
        try (FakePredecessor before = new FakePredecessor(escrow(), group.next())) {
            CompletableFuture<ServerHandover> starting = waves().start();
            before.meet(new byte[0]);
            ProcessLink.Message ready = before.link.receive();
            assertEquals(ProcessLink.Kind.READY, ready.kind());
            assertEquals(ProtocolVersion.OWN, ProtocolVersion.decode(ready.content()));
            before.records.forEach(
                    (index, record) -> before.link.write(ProcessLink.Kind.MOVED, index, version1(record)));
            before.link.send(ProcessLink.Kind.WAVE);
            ProcessLink.Message taken = before.link.receive();
            assertEquals(ProcessLink.Kind.TAKEN, taken.kind());
            assertEquals(0, taken.content().remaining());
            before.link.send(ProcessLink.Kind.DONE);
            ServerHandover next = add(starting.join());
            assertEquals(COUNT, next.startReport().adopted());
            assertEquals(List.of(), next.startReport().left());
        }
        assertUnharmed(peers);
    }

    /** Encodes a record as version 1 did. */
    private static byte[] version1(ChannelRecord record) {
        ByteBuf out = Unpooled.buffer();
        out.writeByte(1).writeByte(record.clean() ? 1 : 0);
        writeText(out, record.listener());
        out.writeShort(record.sections().size());
        record.sections().forEach((name, section) -> {
            writeText(out, name);
            out.writeInt(section.bytes().length).writeBytes(section.bytes());
        });
        return ByteBufUtil.getBytes(out);
    }

    private static void writeText(ByteBuf out, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeShort(bytes.length).writeBytes(bytes);
    }

    @Test
    void version1TakesOverInWaves() throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = halfHeardPeers(server);
        try (FakeSuccessor next = new FakeSuccessor(escrow(), group.next())) {
            CompletableFuture<HandoverReport> handover = server.handOver(TIME);
            assertEquals(ProcessLink.Kind.WELCOME, next.meet());
            next.ready(new byte[0]);
            Map<Integer, byte[]> moved = takeAll(next.link);
            HandoverReport report = handover.join();
            assertEquals(COUNT, report.connections());
            assertEquals(COUNT, moved.size());
            // As if it handed over at once itself.
            moved.forEach((index, record) ->
                    next.client.update(1, index, payload(record)).join());
            next.client.delete(0, next.endpointIndex).join();
        }
        assertEquals(COUNT, start(waves()).startReport().adopted());
        assertUnharmed(peers);
    }

    private static Map<Integer, byte[]> takeAll(ProcessLink link) {
        Map<Integer, byte[]> moved = new HashMap<>();
        while (true) {
            ProcessLink.Message message = link.receive();
            switch (message.kind()) {
                case MOVED -> moved.put(message.index(), message.content().array());
                case WAVE -> link.send(ProcessLink.Kind.TAKEN);
                default -> {
                    assertEquals(ProcessLink.Kind.DONE, message.kind());
                    return moved;
                }
            }
        }
    }

    private static byte[] payload(byte[] record) {
        return ByteBuffer.allocate(8 + record.length).putLong(0).put(record).array();
    }

    @Test
    void whatIsTooNewIsNotTaken() throws Exception {
        List<Peer> peers = handOverAtOnce();
        try (FakePredecessor before = new FakePredecessor(escrow(), group.next())) {
            Set<Integer> tooNew =
                    new HashSet<>(List.copyOf(before.records.keySet()).subList(0, 2));
            CompletableFuture<ServerHandover> starting = waves().start();
            before.meet(ProtocolVersion.OWN.encode());
            assertEquals(ProcessLink.Kind.READY, before.link.receive().kind());
            before.records.forEach((index, record) -> {
                byte[] bytes = record.encode();
                if (tooNew.contains(index)) {
                    bytes[0] = 3;
                    bytes[1] = 4;
                }
                before.link.write(ProcessLink.Kind.MOVED, index, bytes);
            });
            before.link.send(ProcessLink.Kind.WAVE);
            ProcessLink.Message taken = before.link.receive();
            assertEquals(ProcessLink.Kind.TAKEN, taken.kind());
            Set<Integer> notTaken = new HashSet<>();
            while (taken.content().hasRemaining()) {
                notTaken.add(taken.content().getInt());
            }
            assertEquals(tooNew, notTaken);
            // They end in the process before.
            tooNew.forEach(index -> before.link.write(ProcessLink.Kind.GONE, index, new byte[0]));
            before.link.send(ProcessLink.Kind.DONE);
            ServerHandover next = add(starting.join());
            assertEquals(COUNT - tooNew.size(), next.startReport().adopted());
            assertEquals(List.of(), next.startReport().refused());
            assertEquals(tooNew.size(), next.startReport().left().size());
            for (String left : next.startReport().left()) {
                assertTrue(left.contains("needs a reader of version 3 or later"), left);
                assertTrue(left.contains("written by version 4"), left);
            }
        }
        assertUnharmed(peers.subList(2, COUNT));
    }
}
