package io.escrow.handover.link;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.escrow.testing.EventLoopGroups;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.unix.Socket;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Talks over a link with the bytes of RECORDS.md. */
class ProcessLinkTest {

    private final EventLoopGroup group = EventLoopGroups.epoll(1);
    private ProcessLink link;
    private Socket other;

    @BeforeEach
    void open() throws IOException {
        SocketPair pair = SocketPair.open();
        link = new ProcessLink(group.next(), pair.one());
        other = new Socket(pair.other());
    }

    @AfterEach
    void close() throws IOException {
        link.close();
        other.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private void send(byte... bytes) throws IOException {
        ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        assertEquals(bytes.length, other.write(direct, 0, bytes.length));
    }

    private static byte[] message(int length, int kind, int index, byte... content) {
        return ByteBuffer.allocate(9 + content.length)
                .putInt(length)
                .put((byte) kind)
                .putInt(index)
                .put(content)
                .array();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "END")
    @SuppressWarnings("EnumOrdinal") // the numbers on the wire follow the order
    void messageHasItsLengthKindAndIndex(ProcessLink.Kind kind) throws IOException {
        link.send(kind, 0x01020304, new byte[] {7, 8}).syncUninterruptibly();

        byte[] expected = message(7, kind.ordinal() + 1, 0x01020304, (byte) 7, (byte) 8);
        ByteBuffer in = ByteBuffer.allocateDirect(100);
        int count = 0;
        while (count < expected.length) {
            count += Math.max(0, other.read(in, count, in.capacity()));
        }
        byte[] sent = new byte[count];
        in.get(0, sent);
        assertArrayEquals(expected, sent);
        send(sent);
        ProcessLink.Message received = link.receive();
        assertEquals(kind, received.kind());
        assertEquals(0x01020304, received.index());
        assertArrayEquals(new byte[] {7, 8}, received.content().array());
    }

    @Test
    void whatIsSentBeforeTheLoopHasSeenTheLinkHasItsLengthToo() throws Exception {
        CountDownLatch sent = new CountDownLatch(1);
        Future<Void> busy = group.submit(() -> {
            sent.await();
            return null;
        });
        SocketPair pair = SocketPair.open();
        Socket end = new Socket(pair.other());
        try (ProcessLink early = new ProcessLink(group.next(), pair.one())) {
            ChannelFuture sending = early.send(ProcessLink.Kind.READY);
            sent.countDown();
            sending.syncUninterruptibly();
            busy.sync();

            byte[] expected = message(5, 3, 0);
            ByteBuffer in = ByteBuffer.allocateDirect(expected.length);
            assertEquals(expected.length, end.read(in, 0, expected.length));
            byte[] got = new byte[expected.length];
            in.get(0, got);
            assertArrayEquals(expected, got);
        } finally {
            end.close();
        }
    }

    @Test
    void messageMayComeByteByByte() throws IOException {
        for (byte each : message(6, 4, 9, (byte) 1)) {
            send(each);
        }
        send(message(5, 5, 0));
        ProcessLink.Message moved = link.receive();
        assertEquals(ProcessLink.Kind.MOVED, moved.kind());
        assertEquals(1, moved.content().remaining());
        assertEquals(ProcessLink.Kind.WAVE, link.receive().kind());
        assertNull(link.receive(1));
    }

    static Stream<byte[]> noMessages() {
        return Stream.of(
                // of an unknown kind
                message(5, 0, 0),
                message(5, 10, 0),
                message(5, 255, 0),
                // the kind that is never sent
                message(5, 9, 0),
                // too short for its fields
                message(4, 5, 0),
                message(0, 5, 0),
                // longer than it may be
                message(-1, 5, 0),
                message((1 << 30) - 3, 5, 0));
    }

    @ParameterizedTest
    @MethodSource("noMessages")
    void whatIsNoMessageEndsTheLink(byte[] bytes) throws IOException {
        byte[] before = message(5, 5, 0);
        byte[] after = message(5, 8, 0);
        // In one piece: what comes behind is there already when the link ends.
        send(ByteBuffer.allocate(before.length + bytes.length + after.length)
                .put(before)
                .put(bytes)
                .put(after)
                .array());
        assertEquals(ProcessLink.Kind.WAVE, link.receive().kind());
        assertEquals(ProcessLink.Kind.END, link.receive().kind());
        assertNull(link.receive(1), "nothing comes after the end");
        assertFalse(link.send(ProcessLink.Kind.TAKEN).awaitUninterruptibly().isSuccess());
    }

    @Test
    void endOfTheOtherIsTheLastMessage() throws IOException {
        send(message(5, 8, 0));
        other.shutdown(true, true);
        assertEquals(ProcessLink.Kind.DONE, link.receive().kind());
        assertEquals(ProcessLink.Kind.END, link.receive().kind());
    }

    @Test
    void whatHasArrivedIsReadAfterTheCut() throws IOException {
        send(message(5, 6, 0));
        link.cut();
        assertEquals(ProcessLink.Kind.TAKEN, link.receive().kind());
        assertEquals(ProcessLink.Kind.END, link.receive().kind());
        assertFalse(link.send(ProcessLink.Kind.DONE).awaitUninterruptibly().isSuccess());
        link.cut();
    }
}
