package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.escrow.Limits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Decodes packets of either side: the first byte of the input says whose, and whether they have heads. However they are read, the same frames come out
 * or the same {@link ProtocolException}, and nothing is left behind.
 */
class PacketFuzzTest {

    private static final Limits LIMITS = new Limits(32, 64, 256, 4, 3, 2, 8);

    private static final int HEADS = 0x80;

    @FuzzTest
    void packets(byte[] input) throws IOException {
        List<String> atOnce = decode(input, Integer.MAX_VALUE);
        assertEquals(atOnce, decode(input, 1));
    }

    private static List<String> decode(byte[] input, int largestRead) throws IOException {
        boolean daemon = input.length > 0 && (input[0] & 1) == 0;
        byte[] packets = Arrays.copyOfRange(input, Math.min(1, input.length), input.length);
        Trace trace = new Trace(daemon);
        PacketDecoder decoder = new PacketDecoder(LIMITS);
        if (input.length > 0 && (input[0] & HEADS) != 0) {
            decoder.useHeads();
        }
        PacketFeeder feeder = new PacketFeeder(new EmbeddedChannel(decoder, new FrameCodec(daemon, LIMITS), trace));
        feeder.feed(packets, largestRead);
        feeder.finish();
        trace.codec.finishAndReleaseAll();
        if (trace.failure != null) {
            throw trace.failure;
        }
        return trace.seen;
    }

    /** Notes what comes; each frame must be the same when it is encoded and decoded again. */
    private static final class Trace extends ChannelInboundHandlerAdapter {

        final List<String> seen = new ArrayList<>();
        final EmbeddedChannel codec;
        private final boolean daemon;
        private AssertionError failure;

        Trace(boolean daemon) {
            this.daemon = daemon;
            // A text that is no UTF-8 is longer the second time.
            codec = new EmbeddedChannel(new FrameCodec(daemon, Limits.DEFAULT));
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof Frame frame && !(msg instanceof Frame.Invalid)) {
                String descriptor = "";
                if (frame instanceof Frame.Add add && add.descriptor() != null) {
                    ReferenceCountUtil.release(add.descriptor());
                    frame = new Frame.Add(
                            add.tag(), add.index(), add.number(), add.payload(), add.farewell(), false, null);
                    descriptor = " with a descriptor";
                }
                String encoded = encode(frame);
                codec.writeInbound(Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(encoded)), PacketEnd.INSTANCE);
                assertEquals(encoded, encode(codec.readInbound()));
                assertEquals(PacketEnd.INSTANCE, codec.readInbound());
                seen.add(encoded + descriptor);
            } else {
                seen.add(msg.toString());
                ReferenceCountUtil.release(msg);
            }
        }

        private String encode(Frame frame) {
            ByteBuf out = Unpooled.buffer();
            FrameWriter.write(frame, !daemon, out);
            return ByteBufUtil.hexDump(out);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            seen.add(cause.toString());
            if (!(cause instanceof ProtocolException)) {
                failure = new AssertionError("not a fault of the other side", cause);
            }
            ctx.close();
        }
    }
}
