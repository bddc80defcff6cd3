package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.handover.connection.Connection;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.DelimiterBasedFrameDecoder;
import io.netty.handler.codec.Delimiters;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LineBasedFrameDecoder;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Hands servers over whose decoders are skipping the rest of a frame that is too long. */
class SkippedFrameTest extends HandoverHarness {

    private static final int LONGEST = 20;
    private static final Duration LONG = Duration.ofMinutes(10);

    /** The bytes are: the beginning of a frame that is too long, its rest, a whole frame. */
    enum Kind {
        LENGTH("@" + "1234567890".repeat(3), "1234567890".repeat(3) + "1234", "\3one") {
            @Override
            ByteToMessageDecoder decoder(boolean failFast) {
                return new LengthFieldBasedFrameDecoder(LONGEST, 0, 1, 0, 0, failFast);
            }
        },
        LINE("1234567890".repeat(3), "1234567890\n", "one\n") {
            @Override
            ByteToMessageDecoder decoder(boolean failFast) {
                return new LineBasedFrameDecoder(LONGEST, false, failFast);
            }
        },
        DELIMITER("1234567890".repeat(3), "1234567890\0", "one\0") {
            @Override
            ByteToMessageDecoder decoder(boolean failFast) {
                return new DelimiterBasedFrameDecoder(LONGEST, false, failFast, Delimiters.nulDelimiter());
            }
        },
        DELIMITED_LINE("1234567890".repeat(3), "1234567890\r\n", "one\r\n") {
            @Override
            ByteToMessageDecoder decoder(boolean failFast) {
                return new DelimiterBasedFrameDecoder(LONGEST, false, failFast, Delimiters.lineDelimiter());
            }
        };

        final String tooLong;
        final String rest;
        final String frame;

        Kind(String tooLong, String rest, String frame) {
            this.tooLong = tooLong;
            this.rest = rest;
            this.frame = frame;
        }

        abstract ByteToMessageDecoder decoder(boolean failFast);
    }

    private volatile boolean handingOver;
    private volatile boolean isLate;

    private static byte[] bytes(String text) {
        return text.getBytes(US_ASCII);
    }

    static Stream<Arguments> kinds() {
        return Stream.of(Kind.values()).flatMap(kind -> Stream.of(Arguments.of(kind, true), Arguments.of(kind, false)));
    }

    /** Describes a server that answers each frame with the same, and goes on after one that is too long. */
    private ServerHandoverBuilder server(Kind kind, boolean failFast) {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(kind.decoder(failFast), new Echo(), new ChannelInboundHandlerAdapter() {
                    @Override
                    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
                        // Frames that are too long.
                    }
                })));
    }

    private Peer sendTooLong(ServerHandover server, Kind kind) throws Exception {
        Peer peer = connect();
        peer.sendRaw(bytes(kind.frame));
        peer.assertReceivesRaw(bytes(kind.frame));
        peer.sendRaw(bytes(kind.tooLong));
        awaitRest(server, false);
        return peer;
    }

    private static void awaitRest(ServerHandover server, boolean expected) {
        Connection connection = onlyConnection(server);
        await().until(() -> EventLoops.call(connection.channel().eventLoop(), connection::isAtRest)
                        .join()
                == expected);
    }

    /** Notes that the time is up as soon as a handover has nothing but connections to wait for. */
    private ServerHandoverBuilder late(ServerHandoverBuilder description) {
        return description.onProgress(progress -> isLate = handingOver);
    }

    /** Hands a server over whose time is up when the frame that never ends is all that is missing. */
    private HandoverReport handOverUntilLate(ServerHandover server) throws EscrowException {
        handingOver = true;
        Deadline deadline = new Deadline(LONG, () -> System.nanoTime() + (isLate ? 2 * LONG.toNanos() : 0));
        try {
            return server.handOver(deadline).join();
        } catch (CompletionException e) {
            throw Futures.toEscrowException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void movesAtTheEndOfTheFrame(Kind kind, boolean failFast) throws Exception {
        ServerHandover server = start(server(kind, failFast));
        Peer peer = sendTooLong(server, kind);
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> !server.listeners().get(0).isRegistered());
        peer.sendRaw(bytes(kind.rest), 0, kind.rest.length() - 1);
        assertFalse(handover.isDone());
        peer.sendRaw(bytes(kind.rest), kind.rest.length() - 1, kind.rest.length());
        assertEquals(List.of(), handover.join().staying());
        peer.sendRaw(bytes(kind.frame), 0, 2);
        assertEquals(1, start(server(kind, failFast)).startReport().adopted());
        peer.sendRaw(bytes(kind.frame), 2, kind.frame.length());
        peer.assertReceivesRaw(bytes(kind.frame));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void isNamedWhenTheFrameNeverEnds(Kind kind, boolean failFast) throws Exception {
        ServerHandover server = start(late(server(kind, failFast)));
        Peer peer = sendTooLong(server, kind);
        EscrowException late = assertThrows(EscrowException.class, () -> handOverUntilLate(server));
        assertTrue(late.getMessage().contains("skips the rest of a frame that is too long"), late::getMessage);
        peer.sendRaw(bytes(kind.rest));
        // In one read with the end of the other, Netty would keep this frame until more comes.
        awaitRest(server, true);
        peer.sendRaw(bytes(kind.frame));
        peer.assertReceivesRaw(bytes(kind.frame));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void staysWithAReasonInWavesWhenTheFrameNeverEnds(Kind kind, boolean failFast) throws Exception {
        Duration wave = Duration.ofMillis(20);
        ServerHandover server = start(late(server(kind, failFast).waves(wave).drain(Duration.ofMillis(100))));
        Peer peer = sendTooLong(server, kind);
        CompletableFuture<ServerHandover> starting =
                startNext(server(kind, failFast).waves(wave));
        HandoverReport report = handOverUntilLate(server);
        assertEquals(1, report.staying().size());
        String reason = report.staying().get(0).reason();
        assertTrue(reason.startsWith("it did not come to rest in time"), reason);
        assertEquals(0, add(starting.join()).startReport().adopted());
        server.drained().join();
        peer.assertEnds();
    }
}
