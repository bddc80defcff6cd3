package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.handover.protocol.AttributeCodec;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.util.AttributeKey;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Attributes of channels that a server has chosen move with their connections. */
class AttributeTest extends HandoverHarness {

    private static final AttributeKey<String> USER = AttributeKey.valueOf(AttributeTest.class, "user");
    private static final AttributeKey<String> OTHER = AttributeKey.valueOf(AttributeTest.class, "other");
    private static final byte[] RECORD = Peer.bytes(1000, 1);
    private static final String UNFIT = "unfit";

    private final Queue<String> built = new ConcurrentLinkedQueue<>();

    /** Writes text, and refuses one of them. */
    private record Text(boolean mustBeRestored, boolean picky) implements AttributeCodec<String> {
        @Override
        public void encode(String value, ByteBuf out) {
            if (picky && value.equals(UNFIT)) {
                throw new IllegalArgumentException("it does not fit");
            }
            out.writeCharSequence(value, UTF_8);
        }

        @Override
        public String decode(ByteBuf in) {
            String value = in.toString(UTF_8);
            if (picky && value.equals(UNFIT)) {
                throw new IllegalArgumentException("it is unfit");
            }
            return value;
        }
    }

    private ServerHandoverBuilder plain() {
        ServerBootstrap bootstrap = bootstrap(ch -> {
            built.add(String.valueOf(ch.attr(USER).get()));
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo());
        });
        return server(bootstrap.childAttr(USER, "nobody"));
    }

    private ServerHandoverBuilder moving() {
        return plain().attribute(USER, new Text(false, false));
    }

    private static String user(ServerHandover server) {
        return onlyConnection(server).channel().attr(USER).get();
    }

    private static ServerHandoverBuilder waves(ServerHandoverBuilder builder, boolean inWaves) {
        return inWaves ? builder.waves(Duration.ofMillis(20)) : builder;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theirValuesMove(boolean inWaves) throws Exception {
        ServerHandover server = start(waves(moving(), inWaves));
        Peer peer = connect();
        // Nothing at all is a value, too; one is larger than a payload.
        for (String value : List.of("ann", "", "x".repeat(300_000))) {
            Channel channel = onlyConnection(server).channel();
            channel.attr(USER).set(value);
            channel.attr(OTHER).set("stays");
            built.clear();
            CompletableFuture<ServerHandover> starting = startNext(waves(moving(), inWaves));
            handOver(server);
            server = add(starting.join());
            assertEquals(List.of(value), List.copyOf(built));
            assertEquals(value, user(server));
            assertNull(onlyConnection(server).channel().attr(OTHER).get());
        }
        peer.assertEchoes(RECORD);
    }

    @Test
    void anAttributeWithoutValueIsAsOfAnAcceptedChannel() throws Exception {
        ServerHandover server = start(moving());
        connect();
        onlyConnection(server).channel().attr(USER).set(null);
        handOver(server);
        assertEquals("nobody", user(start(moving())));
    }

    @Test
    void afterACrashTheyAreAsAtTheLastCheckpoint() throws Exception {
        crashSafe = true;
        ServerHandover server = start(moving());
        connect();
        Channel channel = onlyConnection(server).channel();
        channel.attr(USER).set("ann");
        server.checkpoint(channel).join();
        channel.attr(USER).set("bob");
        crash(server);
        ServerHandover next = start(moving());
        assertEquals("ann", user(next));
        // What was adopted is what is found by the next one.
        crash(next);
        assertEquals("ann", user(start(moving())));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aVersionWithoutTheKeyGoesOnOrLeavesTheConnection(boolean required) throws Exception {
        ServerHandover server = start(plain().attribute(USER, new Text(required, false)));
        Peer peer = connect();
        onlyConnection(server).channel().attr(USER).set("ann");
        handOver(server);
        ServerHandover without = start(plain());
        List<String> left = without.startReport().left();
        if (required) {
            assertEquals(1, left.size());
            assertTrue(left.get(0).contains("attribute:" + USER.name()), left::toString);
            handOver(without);
            assertEquals("ann", user(start(moving())));
        } else {
            assertEquals(List.of(), left);
            assertEquals("nobody", user(without));
        }
        peer.assertEchoes(RECORD);
    }

    @Test
    void aValueThatCanNotBeReadLeavesTheConnection() throws Exception {
        ServerHandover server = start(moving());
        Peer peer = connect();
        onlyConnection(server).channel().attr(USER).set(UNFIT);
        handOver(server);
        ServerHandover picky = start(plain().attribute(USER, new Text(false, true)));
        List<String> left = picky.startReport().left();
        assertEquals(1, left.size());
        assertTrue(left.get(0).contains("attribute " + USER + " can't be restored"), left::toString);
        assertTrue(left.get(0).contains("it is unfit"), left::toString);
        handOver(picky);
        assertEquals(UNFIT, user(start(moving())));
        peer.assertEchoes(RECORD);
    }

    @Test
    void aHandoverFailsWithAValueThatCanNotBeWritten() throws Exception {
        ServerHandover server = start(plain().attribute(USER, new Text(false, true)));
        Peer peer = connect();
        onlyConnection(server).channel().attr(USER).set(UNFIT);
        EscrowException failure = assertThrows(EscrowException.class, () -> handOver(server));
        assertTrue(failure.getMessage().contains("it does not fit"), failure.getMessage());
        peer.assertEchoes(RECORD);
        onlyConnection(server).channel().attr(USER).set("fit");
        assertEquals(1, handOver(server).connections());
        assertEquals("fit", user(start(moving())));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aConnectionWithAValueThatCanNotBeWrittenStays(boolean inWaves) throws Exception {
        ServerHandover server = start(waves(plain().attribute(USER, new Text(false, true)), inWaves));
        Peer unfit = connect();
        onlyConnection(server).channel().attr(USER).set(UNFIT);
        Peer fit = connect();
        awaitConnections(server, 2);
        CompletableFuture<ServerHandover> starting = startNext(moving());
        HandoverReport report = handOver(server);
        assertEquals(1, report.connections());
        String reason = report.staying().get(0).reason();
        assertTrue(reason.startsWith("its handlers failed: "), reason);
        assertTrue(reason.contains("it does not fit"), reason);
        assertEquals("nobody", user(add(starting.join())));
        unfit.assertEchoes(RECORD);
        fit.assertEchoes(RECORD);
    }

    @Test
    void aKeyWhoseNameCanNotBeStoredIsRefused() {
        ServerHandoverBuilder builder = plain();
        AttributeKey<String> key = AttributeKey.valueOf("na\nme");
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> builder.attribute(key, new Text(false, false)));
        assertTrue(refused.getMessage().contains("1 to 200 printable ASCII"), refused.getMessage());
    }
}
