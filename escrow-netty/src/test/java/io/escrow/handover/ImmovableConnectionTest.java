package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.handover.connection.Connection;
import io.escrow.internal.EventLoops;
import io.netty.channel.ChannelHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.flow.FlowControlHandler;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Hands over servers whose pipelines have a handler of Netty that keeps messages back. */
class ImmovableConnectionTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);

    @SuppressWarnings("ImmutableEnumChecker") // a constructor reference holds no state
    enum Kind {
        FLOW_CONTROL(FlowControlHandler.class, FlowControlHandler::new);

        final Class<? extends ChannelHandler> type;
        final Supplier<ChannelHandler> handler;

        Kind(Class<? extends ChannelHandler> type, Supplier<ChannelHandler> handler) {
            this.type = type;
            this.handler = handler;
        }
    }

    private ServerHandoverBuilder server(Kind kind) {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), kind.handler.get(), new Echo())));
    }

    private void assertStays(String reason, ServerHandoverBuilder description, ServerHandoverBuilder next)
            throws Exception {
        ServerHandover server = start(description);
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        CompletableFuture<ServerHandover> starting = startNext(next);
        HandoverReport report = handOver(server);
        assertEquals(
                List.of(reason),
                report.staying().stream().map(HandoverReport.Staying::reason).toList());
        assertEquals(0, add(starting.join()).connections());
        peer.assertEchoes(RECORD);
        peer.close();
        server.drained().join();
    }

    @ParameterizedTest
    @EnumSource
    void staysWithAReason(Kind kind) throws Exception {
        assertStays(
                "a handler that keeps messages back (" + kind.type.getSimpleName() + ")", server(kind), server(kind));
    }

    @ParameterizedTest
    @EnumSource
    void staysWithAReasonInWaves(Kind kind) throws Exception {
        assertStays(
                "a handler that keeps messages back (" + kind.type.getSimpleName() + ")",
                server(kind).waves(Duration.ofMillis(20)),
                server(kind).waves(Duration.ofMillis(20)));
    }

    @ParameterizedTest
    @EnumSource
    void staysWithTheReasonOfTheServer(Kind kind) throws Exception {
        assertStays(
                "it is ours (" + kind.type.getSimpleName() + ")",
                server(kind).immovable(kind.type, "it is ours"),
                server(kind));
    }

    @ParameterizedTest
    @EnumSource
    void movesWhenTheServerVouchesForIt(Kind kind) throws Exception {
        ServerHandover server = start(server(kind).vouchFor(kind.type));
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        HandoverReport report = handOver(server);
        assertEquals(List.of(), report.staying());
        assertEquals(1, start(server(kind)).startReport().adopted());
        peer.assertEchoes(RECORD);
    }

    /** Its handlers have left the pipeline, which is also what an upgrade to an unknown protocol looks like. */
    @Test
    void connectionThatHasEndedDoesNotStay() throws Exception {
        ServerHandover server = start(server(bootstrap(ch -> ch.pipeline().addLast(new HttpServerCodec()))));
        Peer peer = connect();
        Connection connection = onlyConnection(server);
        peer.close();
        awaitConnections(server, 0);
        await().until(() -> EventLoops.call(connection.channel().eventLoop(), connection::whyImmovable)
                        .join()
                != null);
        ConnectionBatch batch = new ConnectionBatch(server.context(), new Deadline(TIME));
        assertEquals(Map.of(), batch.ask(List.of(connection)));
        assertEquals(Map.of(), batch.immovable());
        assertEquals(0, batch.resting());
    }
}
