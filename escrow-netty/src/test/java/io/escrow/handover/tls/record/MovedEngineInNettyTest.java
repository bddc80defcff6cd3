package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** In the ordinary SslHandler, which takes the engine for one of the JDK. */
class MovedEngineInNettyTest {

    private final ClientSide client = ClientSide.tls13();
    private final List<Object> events = new ArrayList<>();
    private final SslHandler handler = new SslHandler(client.engine);
    private final EmbeddedChannel channel = new EmbeddedChannel(handler, new ChannelInboundHandlerAdapter() {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            events.add(event);
        }
    });

    @AfterEach
    void finish() {
        channel.finishAndReleaseAll();
    }

    @Test
    void handshakeIsDoneByAFlush() {
        assertFalse(handler.handshakeFuture().isDone());
        channel.flush();
        assertTrue(handler.handshakeFuture().isSuccess());
        assertEquals(List.of(SslHandshakeCompletionEvent.SUCCESS), events);
        assertNothingSent();
    }

    @Test
    void dataGoesBothWays() {
        channel.flush();
        byte[] data = ClientSide.bytes(new Random(1), 50_000);
        for (int i = 0; i < 4; i++) {
            channel.writeOneInbound(Unpooled.wrappedBuffer(
                    client.seal(ContentType.APPLICATION_DATA, Arrays.copyOfRange(data, i * 12_500, (i + 1) * 12_500))));
        }
        channel.flushInbound();
        assertArrayEquals(data, allInbound());

        assertTrue(channel.writeOutbound(
                Unpooled.wrappedBuffer(data, 0, 20_000), Unpooled.wrappedBuffer(data, 20_000, 30_000)));
        assertArrayEquals(data, allOpened());
    }

    @Test
    void keysChangeOnRequest() {
        channel.flush();
        byte[] request = client.seal(ContentType.HANDSHAKE, 24, 0, 0, 1, 1);
        client.updateWrites();
        byte[] data = client.seal(ContentType.APPLICATION_DATA, 1);
        channel.writeInbound(Unpooled.wrappedBuffer(request, data));
        assertArrayEquals(new byte[] {1}, allInbound());
        assertEquals(ContentType.HANDSHAKE, client.open(nextRecord()).type());
        client.updateReads();
        channel.writeOutbound(Unpooled.wrappedBuffer(new byte[] {2}));
        assertArrayEquals(new byte[] {2}, client.open(nextRecord()).bytes());
        assertTrue(client.engine.isAtRest());
    }

    @Test
    void closeOfTheClientIsAnswered() {
        channel.flush();
        channel.writeInbound(Unpooled.wrappedBuffer(client.seal(ContentType.ALERT, 1, 0)));
        assertTrue(events.contains(SslCloseCompletionEvent.SUCCESS), events.toString());
        channel.flush();
        assertArrayEquals(new byte[] {1, 0}, client.open(nextRecord()).bytes());
    }

    @Test
    void closeOfTheServerIsSent() {
        channel.flush();
        channel.close();
        assertArrayEquals(new byte[] {1, 0}, client.open(nextRecord()).bytes());
    }

    @Test
    void brokenRecordIsAnsweredByAnAlert() {
        channel.flush();
        byte[] record = client.seal(ContentType.APPLICATION_DATA, 1);
        record[9] ^= 1;
        assertThrows(DecoderException.class, () -> channel.writeInbound(Unpooled.wrappedBuffer(record)));
        assertArrayEquals(
                new byte[] {2, (byte) Alert.BAD_RECORD_MAC.code()},
                client.open(nextRecord()).bytes());
        assertFalse(channel.isOpen());
    }

    @Test
    void takenConnectionEndsWithoutAByte() {
        channel.flush();
        TlsState state = client.engine.take();
        client.engine.destroy();
        channel.close();
        channel.finish();
        assertNothingSent();
        client.engine = new MovedEngine(state);
        SslHandler next = new SslHandler(client.engine);
        EmbeddedChannel other = new EmbeddedChannel(next);
        other.writeOutbound(Unpooled.wrappedBuffer(new byte[] {5}));
        ByteBuf sent = other.readOutbound();
        assertArrayEquals(
                new byte[] {5}, client.open(ByteBufUtil.getBytes(sent)).bytes());
        sent.release();
        other.finishAndReleaseAll();
    }

    /** Returns what was sent next; the handler also sends empty buffers. */
    private byte[] nextRecord() {
        byte[] next = {};
        while (next.length == 0) {
            ByteBuf sent = channel.readOutbound();
            next = ByteBufUtil.getBytes(sent);
            sent.release();
        }
        return next;
    }

    private void assertNothingSent() {
        assertArrayEquals(new byte[0], allSent());
    }

    private byte[] allSent() {
        ByteBuf sent = Unpooled.buffer();
        for (ByteBuf each = channel.readOutbound(); each != null; each = channel.readOutbound()) {
            sent.writeBytes(each);
            each.release();
        }
        return ByteBufUtil.getBytes(sent);
    }

    private byte[] allInbound() {
        ByteBuf all = Unpooled.buffer();
        for (ByteBuf each = channel.readInbound(); each != null; each = channel.readInbound()) {
            all.writeBytes(each);
            each.release();
        }
        return ByteBufUtil.getBytes(all);
    }

    /** Opens all that was sent, whose buffers may have several records each. */
    private byte[] allOpened() {
        ByteBuf sent = Unpooled.wrappedBuffer(allSent());
        ByteBuf all = Unpooled.buffer();
        while (sent.isReadable()) {
            int length = RecordFormat.HEADER + sent.getUnsignedShort(sent.readerIndex() + 3);
            all.writeBytes(
                    client.open(ByteBufUtil.getBytes(sent.readSlice(length))).bytes());
        }
        return ByteBufUtil.getBytes(all);
    }
}
