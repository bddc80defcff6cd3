package io.escrow.handover.tls.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.ReferenceCountUtil;
import java.util.Arrays;

/** Whatever comes and goes, passes through the tap as it is, and its records are found wherever it is cut. */
class OpenSslTapFuzzTest {

    @FuzzTest
    void everythingPasses(byte[] input) {
        int cut = input.length == 0 ? 1 : 1 + (input[0] & 0xff);
        OpenSslTap tap = new OpenSslTap(new PlaintextMeter());
        ByteBuf seen = Unpooled.buffer();
        EmbeddedChannel channel = new EmbeddedChannel(tap, new ChannelInboundHandlerAdapter() {
            @Override
            public void channelRead(ChannelHandlerContext ctx, Object msg) {
                ByteBuf buf = (ByteBuf) msg;
                seen.writeBytes(buf);
                buf.release();
            }
        });
        for (int at = 0; at < input.length; at += cut) {
            byte[] piece = Arrays.copyOfRange(input, at, Math.min(input.length, at + cut));
            channel.writeInbound(Unpooled.copiedBuffer(piece));
            channel.writeOutbound(Unpooled.wrappedBuffer(piece));
        }
        assertArrayEquals(input, ByteBufUtil.getBytes(seen));
        int written = 0;
        for (ByteBuf each = channel.readOutbound(); each != null; each = channel.readOutbound()) {
            written += each.readableBytes();
            each.release();
        }
        assertEquals(input.length, written);
        channel.finishAndReleaseAll();
    }

    /** What is read is counted, and the part of a record behind it kept, wherever the buffers are cut. */
    @FuzzTest
    void receivedRecordsAreCounted(byte[] input) {
        int cut = input.length == 0 ? 1 : 1 + (input[0] & 0xff);
        ReceivedRecords expected = new ReceivedRecords();
        ByteBuf whole = Unpooled.wrappedBuffer(input);
        if (expected.scan(whole, Integer.MAX_VALUE)) {
            assertNull(expected.advance(whole, ByteBufAllocator.DEFAULT));
            ReceivedRecords received = new ReceivedRecords();
            byte[] records = {};
            int count = 0;
            for (int at = 0; at < input.length; at += cut) {
                ByteBuf piece = Unpooled.copiedBuffer(input, at, Math.min(cut, input.length - at));
                assertTrue(received.scan(piece, Integer.MAX_VALUE));
                ByteBuf before = received.advance(piece, ByteBufAllocator.DEFAULT);
                if (received.count() > 0) {
                    count += received.count();
                    byte[] ended = ReceivedRecords.copy(before, piece, 0, received.length());
                    records = ByteBufUtil.getBytes(Unpooled.wrappedBuffer(records, ended));
                }
                ReferenceCountUtil.release(before);
                piece.release();
            }
            assertEquals(expected.count(), count);
            assertArrayEquals(Arrays.copyOf(input, expected.length()), records);
            assertArrayEquals(expected.part(), received.part());
            received.release();
        }
        expected.release();
    }

    /** Records are found wherever the buffers are cut. */
    @FuzzTest
    void recordsAreCounted(byte[] input) {
        int cut = input.length == 0 ? 1 : 1 + (input[0] & 0xff);
        ByteBuf whole = Unpooled.wrappedBuffer(input);
        Copies expected = new Copies();
        new RecordStream(expected).add(whole);
        Copies cutCopies = new Copies();
        RecordStream stream = new RecordStream(cutCopies);
        while (whole.isReadable()) {
            stream.add(whole.readSlice(Math.min(cut, whole.readableBytes())));
        }
        assertEquals(expected.count, cutCopies.count);
        assertEquals(expected.bytes, cutCopies.bytes);
        assertEquals(
                ByteBufUtil.hexDump(input, 0, expected.bytes.readableBytes()), ByteBufUtil.hexDump(expected.bytes));
    }

    private static final class Copies implements RecordStream.Counter {
        private final ByteBuf bytes = Unpooled.buffer();
        private int count;

        @Override
        public boolean begin(int type, int length) {
            count++;
            return true;
        }

        @Override
        public void copied(byte[] record) {
            bytes.writeBytes(record);
        }
    }
}
