package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.PacketEnd;
import io.escrow.daemon.config.SessionTimeouts;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Time is the channel's own here, and passes only when a test says so. */
class SessionWatchdogTest {

    private static final SessionTimeouts TIMEOUTS =
            new SessionTimeouts(Duration.ofSeconds(4), Duration.ofSeconds(8), Duration.ofSeconds(12));

    private final List<Throwable> told = new ArrayList<>();
    private int received;
    private int readable = Integer.MAX_VALUE;
    private final Connection channel = new Connection();

    /** Sends as many bytes as its peer reads. */
    private final class Connection extends EmbeddedChannel {
        Connection() {
            freezeTime();
            pipeline().addLast(new SessionWatchdog(TIMEOUTS, () -> received), new ChannelInboundHandlerAdapter() {
                @Override
                public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
                    told.add(cause);
                }
            });
        }

        @Override
        protected void doWrite(ChannelOutboundBuffer out) {
            for (Object first = out.current(); first != null && readable > 0; first = out.current()) {
                int written = Math.min(readable, ((ByteBuf) first).readableBytes());
                readable -= written;
                out.removeBytes(written);
            }
        }
    }

    @AfterEach
    void nothingIsPlannedAfterTheEnd() {
        channel.close();
        channel.runPendingTasks();
        assertEquals(-1, channel.runScheduledPendingTasks());
        channel.finishAndReleaseAll();
    }

    @Test
    void endsSessionWithoutGreeting() {
        pass(2);
        received = 7; // a part of the greeting is no greeting
        pass(1);
        assertEquals(List.of(), told);

        pass(1);
        assertTold("no hello within 4000 ms");
    }

    @Test
    void leavesIdleSession() {
        greet();
        pass(100_000);

        assertEquals(List.of(), told);
        assertTrue(channel.isOpen());
    }

    @Test
    void endsSessionThatStopsInsidePacket() {
        greet();
        pass(100);
        received = 1;
        pass(8);
        assertEquals(List.of(), told);

        pass(1);
        assertTold("stopped in the middle of a packet for 8000 ms");
    }

    @Test
    void leavesSessionThatGoesOnInsidePacket() {
        greet();
        for (int i = 1; i < 20; i++) {
            received = i;
            pass(8);
        }

        assertEquals(List.of(), told);
    }

    @Test
    void tellsOnePacketFromTheNext() {
        greet();
        for (int i = 1; i < 20; i++) {
            received = 5;
            pass(8);
            endPacket();
        }

        assertEquals(List.of(), told);
    }

    @Test
    void endsSessionThatDoesNotReadItsAnswers() {
        greet();
        readable = 10;
        channel.writeAndFlush(Unpooled.wrappedBuffer(new byte[11]));
        received = 1; // what it sends meanwhile is not read, and not missed
        pass(12);
        assertTrue(channel.isOpen());

        pass(1);
        assertFalse(channel.isOpen());
        assertTold("answers not read for 12000 ms");
    }

    @Test
    void endsSessionThatDoesNotReadWhyItEnds() {
        readable = 0;
        channel.writeAndFlush(Unpooled.wrappedBuffer(new byte[1]));
        pass(13);

        assertFalse(channel.isOpen());
    }

    @Test
    void leavesSessionThatReadsItsAnswersSlowly() {
        greet();
        readable = 0;
        channel.writeAndFlush(Unpooled.wrappedBuffer(new byte[20]));
        for (int i = 0; i < 20; i++) {
            assertTrue(channel.isOpen());
            pass(12);
            readable = 1;
            channel.flush();
        }
        pass(100);

        assertTrue(channel.isOpen());
        assertEquals(List.of(), told);
    }

    /** The clock leaps, but not even one step of the watchdog's own has come to its end in between. */
    @Test
    void doesNotBlameTheClientForPauseOfTheDaemon() {
        greet();
        received = 1;
        pass(1);
        channel.advanceTimeBy(1, TimeUnit.DAYS);
        channel.runScheduledPendingTasks();

        assertEquals(List.of(), told);
    }

    @Test
    void refusesTimeoutsOutOfRange() {
        Duration second = Duration.ofSeconds(1);
        IllegalArgumentException e = assertThrows(
                IllegalArgumentException.class,
                () -> new SessionTimeouts(second, second, Duration.ofDays(1).plusSeconds(1)));
        assertEquals("write timeout: 86401 s (expected: 1..86400 s)", e.getMessage());
        assertThrows(IllegalArgumentException.class, () -> new SessionTimeouts(Duration.ZERO, second, second));
        assertThrows(IllegalArgumentException.class, () -> new SessionTimeouts(second, Duration.ZERO, second));
    }

    private void greet() {
        endPacket();
        pass(1);
    }

    private void endPacket() {
        received = 0;
        channel.writeInbound(PacketEnd.INSTANCE);
        assertEquals(PacketEnd.INSTANCE, channel.readInbound());
    }

    private void pass(int seconds) {
        for (int i = 0; i < seconds; i++) {
            channel.advanceTimeBy(1, TimeUnit.SECONDS);
            channel.runScheduledPendingTasks();
        }
    }

    private void assertTold(String text) {
        assertEquals(1, told.size(), told::toString);
        EscrowException e = assertInstanceOf(EscrowException.class, told.get(0));
        assertEquals(text, e.text());
        assertEquals(Status.ETIMEDOUT, e.status());
        assertNull(e.getCause());
    }
}
