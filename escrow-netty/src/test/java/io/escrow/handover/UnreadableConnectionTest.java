package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Starts servers that can't read, or can't restore, what the version before has stored: nothing of it is lost. */
class UnreadableConnectionTest extends HandoverHarness {

    private static final int LISTENERS = 0;
    private static final int CONNECTIONS = 1;
    private static final int HEADER = 8;
    private static final byte[] RECORD = Peer.bytes(1_000, 1);
    private static final byte[] FRAMED = Peer.framed(RECORD);
    private static final int HALF = 300;

    /** What a later version may write. */
    enum Later {
        LOWEST("needs a reader of version 3 or later (this one: 2); it was written by version 3") {
            @Override
            byte[] change(byte[] payload) {
                payload[HEADER] = 3;
                payload[HEADER + 1] = 3;
                return payload;
            }
        },
        SECTION("the state later:thing") {
            @Override
            byte[] change(byte[] payload) throws EscrowException {
                ChannelRecord record =
                        ChannelRecord.decode(Unpooled.wrappedBuffer(payload, HEADER, payload.length - HEADER));
                Map<String, ChannelRecord.Section> sections = new LinkedHashMap<>(record.sections());
                sections.put("later:thing", new ChannelRecord.Section(new byte[1], true));
                byte[] changed = new ChannelRecord(record.listener(), record.clean(), sections).encode();
                return ByteBuffer.allocate(HEADER + changed.length)
                        .putLong(0)
                        .put(changed)
                        .array();
            }
        };

        final String reason;

        Later(String reason) {
            this.reason = reason;
        }

        abstract byte[] change(byte[] payload) throws EscrowException;
    }

    /** Replaces the payload of the first slot of a tag, and returns what was there. */
    private byte[] replace(int tag, UnaryOperator<byte[]> change) throws Exception {
        try (BlockingEscrow escrow = connectToEscrow()) {
            List<Entry> entries = new ArrayList<>();
            escrow.getAll(tag, entries::add).orThrow();
            Entry first = entries.get(0);
            byte[] before = first.payload().clone();
            escrow.update(tag, first.index(), change.apply(before.clone()));
            entries.forEach(Entry::close);
            return before;
        }
    }

    private byte[] make(int tag, Later later) throws Exception {
        return replace(tag, payload -> {
            try {
                return later.change(payload);
            } catch (EscrowException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @ParameterizedTest
    @EnumSource
    void connectionOfALaterVersionWaitsForIt(Later later) throws Exception {
        ServerHandover server = start();
        Peer ofLater = connect();
        awaitConnections(server, 1);
        ofLater.sendRaw(FRAMED, 0, HALF);
        Peer other = connect();
        awaitConnections(server, 2);
        handOver(server);
        byte[] readable = make(CONNECTIONS, later);

        ServerHandover next = start();
        StartReport report = next.startReport();
        assertEquals(1, report.adopted(), report::toString);
        assertEquals(List.of(), report.refused());
        assertEquals(1, report.left().size());
        assertTrue(report.left().get(0).contains(later.reason), report.left()::toString);
        other.assertEchoes(RECORD);
        assertEquals(1, next.connections());
        handOver(next);
        replace(CONNECTIONS, changed -> readable);

        assertEquals(2, start().startReport().adopted());
        ofLater.sendRaw(FRAMED, HALF, FRAMED.length);
        ofLater.assertReceives(RECORD);
        other.assertEchoes(RECORD);
    }

    @ParameterizedTest
    @EnumSource
    void startFailsWithoutTheListenerOfALaterVersion(Later later) throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        awaitConnections(server, 1);
        handOver(server);
        byte[] readable = make(LISTENERS, later);

        // The listener has the address still.
        EscrowException failure = assertThrows(EscrowException.class, this::start);
        assertEquals(Status.EADDRINUSE, failure.status());

        // It is as it was.
        assertArrayEquals(later.change(readable.clone()), replace(LISTENERS, changed -> readable));
        ServerHandover last = start();
        assertEquals(List.of("echo"), last.startReport().adoptedListeners());
        assertEquals(List.of(), last.startReport().left());
        assertEquals(1, last.startReport().adopted());
        peer.assertEchoes(RECORD);
        connect().assertEchoes(RECORD);
    }

    /** What a version may have that another one has not. */
    private enum Part {
        /** The same decoder with another name. */
        DECODER("the state collected:framing") {
            @Override
            ServerHandoverBuilder before(UnreadableConnectionTest test) {
                return test.framing("framing");
            }

            @Override
            ServerHandoverBuilder after(UnreadableConnectionTest test) {
                return test.framing("decoder");
            }
        },
        HANDLER("the state handler:heard") {
            @Override
            ServerHandoverBuilder before(UnreadableConnectionTest test) {
                return test.framing("framing", new Heard(true));
            }

            @Override
            ServerHandoverBuilder after(UnreadableConnectionTest test) {
                return test.framing("framing");
            }
        };

        final String reason;

        Part(String reason) {
            this.reason = reason;
        }

        abstract ServerHandoverBuilder before(UnreadableConnectionTest test);

        abstract ServerHandoverBuilder after(UnreadableConnectionTest test);
    }

    private ServerHandoverBuilder framing(String decoder, ChannelHandler... others) {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(decoder, new LengthFieldBasedFrameDecoder(1 << 20, 0, 4))
                .addLast(others)
                .addLast(new Echo())));
    }

    /** Has state of connections that have said something, even if not all of it. */
    @ChannelHandler.Sharable
    private static final class Heard extends io.netty.channel.ChannelInboundHandlerAdapter implements Movable {
        private final boolean mustBeRestored;

        Heard(boolean mustBeRestored) {
            this.mustBeRestored = mustBeRestored;
        }

        @Override
        public String section() {
            return "heard";
        }

        @Override
        public boolean mustBeRestored() {
            return mustBeRestored;
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeByte(1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void connectionOfWhichAPartIsMissingStaysInTheEscrow(Part part) throws Exception {
        ServerHandover server = start(part.before(this));
        Peer peer = connect();
        awaitConnections(server, 1);
        peer.sendRaw(FRAMED, 0, HALF);
        await().until(() -> unread(onlyConnection(server)) == 0);
        handOver(server);

        ServerHandover next = start(part.after(this));
        StartReport report = next.startReport();
        assertEquals(0, report.adopted(), report::toString);
        assertEquals(List.of(), report.refused());
        assertEquals(1, report.left().size());
        assertTrue(report.left().get(0).contains(part.reason), report.left()::toString);
        assertEquals(0, next.connections());
        handOver(next);

        assertEquals(1, start(part.before(this)).startReport().adopted());
        peer.sendRaw(FRAMED, HALF, FRAMED.length);
        peer.assertReceives(RECORD);
        peer.assertEchoes(RECORD);
    }

    @ParameterizedTest
    @EnumSource
    void connectionOfWhichAPartIsMissingStaysWithTheOldProcessInWaves(Part part) throws Exception {
        ServerHandover server = start(part.before(this).waves(Duration.ofMillis(20)));
        Peer peer = connect();
        awaitConnections(server, 1);
        peer.sendRaw(FRAMED, 0, HALF);
        await().until(() -> unread(onlyConnection(server)) == 0);
        CompletableFuture<ServerHandover> starting = startNext(part.after(this).waves(Duration.ofMillis(20)));
        HandoverReport report = handOver(server);
        assertEquals(0, report.connections(), report::toString);
        assertEquals(1, report.staying().size());
        String reason = report.staying().get(0).reason();
        assertTrue(reason.startsWith("the next process could not take it"), reason);

        ServerHandover next = add(starting.join());
        assertEquals(0, next.connections());
        assertEquals(List.of(), next.startReport().refused());
        assertEquals(1, next.startReport().left().size());
        assertTrue(
                next.startReport().left().get(0).contains(part.reason),
                next.startReport().left()::toString);
        peer.sendRaw(FRAMED, HALF, FRAMED.length);
        peer.assertReceives(RECORD);
        peer.assertEchoes(RECORD);
        assertFalse(server.drained().isDone());
        peer.close();
        server.drained().join();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void stateThatNeedNotBeRestoredIsIgnored(boolean inWaves) throws Exception {
        ServerHandover server = start(waves(framing("framing", new Heard(false)), inWaves));
        Peer peer = connect();
        awaitConnections(server, 1);
        peer.sendRaw(FRAMED, 0, HALF);
        ServerHandoverBuilder next = waves(framing("framing"), inWaves);
        CompletableFuture<ServerHandover> starting = startNext(next);
        assertEquals(1, handOver(server).connections());
        StartReport report = add(starting.join()).startReport();
        assertEquals(1, report.adopted());
        assertEquals(List.of(), report.left());
        peer.sendRaw(FRAMED, HALF, FRAMED.length);
        peer.assertReceives(RECORD);
    }

    private static ServerHandoverBuilder waves(ServerHandoverBuilder builder, boolean inWaves) {
        return inWaves ? builder.waves(Duration.ofMillis(20)) : builder;
    }

    @Test
    void listenerOfALaterVersionIsNotTakenForOneOfThis() throws Exception {
        ServerHandover server = start();
        handOver(server);
        make(LISTENERS, Later.SECTION);
        port = 0;

        ServerHandover next = start();
        assertEquals(List.of("echo"), next.startReport().boundListeners());
        List<String> left = next.startReport().left();
        assertEquals(1, left.size());
        assertTrue(left.get(0).contains("later:thing"), left.get(0));
        next.context().client().delete(LISTENERS, 0).join();
    }
}
