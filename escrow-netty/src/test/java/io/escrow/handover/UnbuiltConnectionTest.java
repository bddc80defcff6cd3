package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A version that can't even build the pipelines of connections that it is to adopt loses none of them. */
class UnbuiltConnectionTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);
    private static final byte[] FRAMED = Peer.framed(RECORD);
    private static final int HALF = 300;
    private static final int MANY = 5;

    private enum Fault {
        /** Netty closes the channel. */
        THROWS {
            @Override
            void apply(Channel channel) {
                throw new IllegalStateException("this version is bad");
            }
        },
        THROWS_LATE {
            @Override
            void apply(Channel channel) {
                echo(channel);
                throw new IllegalStateException("this version is bad, and has handlers");
            }
        },
        CLOSES {
            @Override
            void apply(Channel channel) {
                channel.close();
            }
        };

        abstract void apply(Channel channel);
    }

    private static void echo(Channel channel) {
        channel.pipeline().addLast("framing", new LengthFieldBasedFrameDecoder(1 << 20, 0, 4));
        channel.pipeline().addLast(new Echo());
    }

    private ServerHandoverBuilder good() {
        return server(bootstrap(UnbuiltConnectionTest::echo));
    }

    private ServerHandoverBuilder bad(Fault fault) {
        // It fails for the first of them only.
        AtomicInteger built = new AtomicInteger();
        Consumer<Channel> build = channel -> {
            if (built.getAndIncrement() == 0) {
                fault.apply(channel);
            } else {
                echo(channel);
            }
        };
        return server(bootstrap(build));
    }

    private List<Peer> peersWithHalfARecord() throws Exception {
        List<Peer> peers = connect(MANY);
        for (Peer peer : peers) {
            peer.sendRaw(FRAMED, 0, HALF);
        }
        return peers;
    }

    private static void assertAllAreAnswered(List<Peer> peers) throws Exception {
        for (Peer peer : peers) {
            peer.sendRaw(FRAMED, HALF, FRAMED.length);
            peer.assertReceives(RECORD);
        }
    }

    private static void assertOneIsLeft(ServerHandover server, String reason) {
        StartReport report = server.startReport();
        assertEquals(List.of(), report.refused());
        assertEquals(1, report.left().size(), report::toString);
        assertTrue(report.left().get(0).contains(reason), report.left()::toString);
        assertEquals(MANY - 1, server.connections());
    }

    @ParameterizedTest
    @EnumSource
    void theVersionBeforeAdoptsItAfterARollback(Fault fault) throws Exception {
        ServerHandover server = start(good());
        List<Peer> peers = peersWithHalfARecord();
        awaitConnections(server, MANY);
        handOver(server);
        ServerHandover bad = start(bad(fault));
        assertEquals(MANY - 1, bad.startReport().adopted());
        assertOneIsLeft(bad, "its pipeline could not be built");
        handOver(bad);
        assertEquals(MANY, start(good()).startReport().adopted());
        assertAllAreAnswered(peers);
    }

    @ParameterizedTest
    @EnumSource
    void afterACrashItIsLeftAsWell(Fault fault) throws Exception {
        crashSafe = true;
        ServerHandover server = start(good());
        List<Peer> peers = connect(MANY);
        awaitConnections(server, MANY);
        awaitEscrowed(server, MANY);
        crash(server);
        ServerHandover bad = start(bad(fault));
        assertEquals(MANY - 1, bad.startReport().foundAfterCrash());
        assertOneIsLeft(bad, "its pipeline could not be built");
        crash(bad);
        assertEquals(MANY, start(good()).startReport().foundAfterCrash());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }

    @ParameterizedTest
    @CsvSource({"THROWS,false", "THROWS_LATE,true", "CLOSES,false"})
    void inWavesItStaysWithTheProcessBefore(Fault fault, boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        Duration pause = Duration.ofMillis(20);
        ServerHandover server = start(good().waves(pause));
        List<Peer> peers = peersWithHalfARecord();
        awaitConnections(server, MANY);
        CompletableFuture<ServerHandover> starting = startNext(bad(fault).waves(pause));
        HandoverReport report = handOver(server);
        assertEquals(MANY - 1, report.connections());
        assertEquals(1, report.staying().size());
        assertOneIsLeft(add(starting.join()), "its pipeline could not be built");
        assertAllAreAnswered(peers);
        assertFalse(server.drained().isDone());
        peers.forEach(UnbuiltConnectionTest::close);
        server.drained().join();
    }

    private static void close(Peer peer) {
        try {
            peer.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void itIsLeftWhenTheListenerDoesNotLetItIn() throws Exception {
        ServerHandover server = start(good());
        List<Peer> peers = peersWithHalfARecord();
        awaitConnections(server, MANY);
        handOver(server);
        ServerHandover bad = start(server(choosy()));
        assertEquals(MANY - 1, bad.startReport().adopted());
        assertOneIsLeft(bad, "the pipeline of its listener has closed the channel");
        handOver(bad);
        assertEquals(MANY, start(good()).startReport().adopted());
        assertAllAreAnswered(peers);
    }

    /** Its listener closes the first child. */
    private ServerBootstrap choosy() {
        return bootstrap(UnbuiltConnectionTest::echo).handler(new ChannelInboundHandlerAdapter() {
            private boolean refused;

            @Override
            public void channelRead(ChannelHandlerContext ctx, Object msg) {
                if (refused) {
                    ctx.fireChannelRead(msg);
                } else {
                    refused = true;
                    ((Channel) msg).unsafe().closeForcibly();
                }
            }
        });
    }
}
