package io.escrow.handover.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtension;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Fills and reads the window of Netty's decoder of permessage-deflate (RFC 7692): the last 32 KiB that it has inflated, to which
 * the peer's next message may refer.
 *
 * <p>No method of Netty or of the JDK gives the window away, but the decoder itself does: a message that does nothing but repeat
 * what was 32 KiB before inflates to the window, and leaves it as it was. A decoder takes such a message only when its window
 * is full. So it gets 32 KiB of zeros before its first message. Lives on the channel's event loop.
 */
final class DeflateWindow {

    static final int SIZE = 32 * 1024;

    /** The messages that are tried: a server may limit how much one message inflates to. */
    private static final List<Step> STEPS = List.of(Step.of(SIZE), Step.of(2 * 1024), Step.of(256));

    private static final byte[] ZEROS = new byte[SIZE];

    private final ChannelHandlerContext decoder;
    private final Step step;

    private DeflateWindow(ChannelHandlerContext decoder, Step step) {
        this.decoder = decoder;
        this.step = step;
    }

    /** Fills the window of a decoder that has not decoded anything; returns {@code null} if the decoder does not take that. */
    static DeflateWindow fresh(ChannelHandlerContext decoder) {
        return filled(decoder, ZEROS);
    }

    /**
     * Fills the window of a decoder that has not decoded anything.
     *
     * @param saved what {@link #save} wrote
     */
    static DeflateWindow restored(ChannelHandlerContext decoder, ByteBuf saved) throws IOException {
        DeflateWindow window = filled(decoder, inflate(saved));
        if (window == null) {
            throw new IOException("the decoder of permessage-deflate did not take the window of the peer's compressor:"
                    + " does this version limit how much a message inflates to, or filter messages?");
        }
        return window;
    }

    private static DeflateWindow filled(ChannelHandlerContext decoder, byte[] content) {
        for (Step step : STEPS) {
            try {
                DeflateWindow window = new DeflateWindow(decoder, step);
                if (Arrays.equals(content, window.decode(from -> stored(content, from, step.length)))) {
                    return window;
                }
            } catch (Exception e) {
                // What it has thrown away is nothing yet.
            }
            forget(decoder);
        }
        return null;
    }

    /** Makes a coder of permessage-deflate forget what it has coded. */
    static void forget(ChannelHandlerContext coder) {
        try {
            // As when it is removed; but it stays.
            coder.handler().handlerRemoved(coder);
        } catch (Exception e) {
            throw new IllegalStateException("handler " + coder.name() + " did not give up its state: " + e, e);
        }
    }

    /** Writes the window, compressed. The decoder goes on as if it had not been asked. */
    void save(ByteBuf out) {
        byte[] content = decode(from -> Unpooled.wrappedBuffer(step.repetition));
        Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);
        try {
            deflater.setInput(content);
            deflater.finish();
            byte[] part = new byte[SIZE];
            while (!deflater.finished()) {
                out.writeBytes(part, 0, deflater.deflate(part));
            }
        } finally {
            deflater.end();
        }
    }

    private static byte[] inflate(ByteBuf saved) throws IOException {
        byte[] compressed = new byte[saved.readableBytes()];
        saved.readBytes(compressed);
        byte[] content = new byte[SIZE];
        Inflater inflater = new Inflater(true);
        try {
            inflater.setInput(compressed);
            int length = 0;
            for (int more = -1; length < SIZE && more != 0; length += more) {
                more = inflater.inflate(content, length, SIZE - length);
            }
            if (length < SIZE) {
                throw new IOException("length of a saved window: " + length + " bytes (expected: " + SIZE + ")");
            }
            return content;
        } catch (DataFormatException e) {
            throw new IOException("a saved window is not deflated: " + e.getMessage(), e);
        } finally {
            inflater.end();
        }
    }

    /**
     * Describes messages of one length.
     *
     * @param length what each message inflates to
     * @param repetition a message that repeats what was {@link #SIZE} bytes before
     */
    @SuppressWarnings("ArrayRecordComponent") // steps are not compared
    private record Step(int length, byte[] repetition) {
        static Step of(int length) {
            return new Step(length, DeflateWindow.repetition(length));
        }
    }

    /** Makes the payload of the message of a step. */
    @FunctionalInterface
    private interface Payload {
        ByteBuf of(int from);
    }

    /** Has messages decoded that inflate to a whole window, and returns what they inflate to. */
    private byte[] decode(Payload payloads) {
        Catcher catcher = new Catcher();
        decoder.pipeline().addAfter(decoder.name(), null, catcher);
        try {
            ChannelInboundHandler handler = (ChannelInboundHandler) decoder.handler();
            for (int from = 0; from < SIZE; from += step.length) {
                handler.channelRead(
                        decoder, new BinaryWebSocketFrame(true, WebSocketExtension.RSV1, payloads.of(from)));
            }
            handler.channelReadComplete(decoder);
        } catch (Exception e) {
            throw new IllegalStateException("handler " + decoder.name() + " did not decode its own window: " + e, e);
        } finally {
            decoder.pipeline().remove(catcher);
        }
        if (catcher.length != SIZE) {
            throw new IllegalStateException("handler " + decoder.name() + " decoded " + catcher.length
                    + " bytes of its own window (expected: " + SIZE + ")");
        }
        return catcher.content;
    }

    /** Returns a part of some bytes as a stored block, and the beginning of the empty block with which a message ends. */
    private static ByteBuf stored(byte[] content, int from, int length) {
        ByteBuf header = Unpooled.buffer(5).writeByte(0).writeShortLE(length).writeShortLE(~length);
        return Unpooled.wrappedBuffer(
                header, Unpooled.wrappedBuffer(content, from, length), Unpooled.wrappedBuffer(new byte[1]));
    }

    /** Returns a message that repeats as many bytes as are asked for, a multiple of 256, from 32 KiB before. */
    private static byte[] repetition(int length) {
        BitWriter bits = new BitWriter();
        bits.write(2, 3); // a block with fixed codes that is not the last one
        for (int i = 0; i < length; i += 256) {
            bits.writeCode(0xC4, 8); // a length of 227 ...
            bits.write(256 - 227, 5);
            bits.writeCode(29, 5); // ... from a distance of 24,577 ...
            bits.write(SIZE - 24_577, 13);
        }
        bits.writeCode(0, 7); // the end of the block
        bits.write(0, 3); // a stored block, of which the decoder adds the rest
        return bits.toByteArray();
    }

    /** Gets what the decoder makes of the messages. */
    private static final class Catcher extends ChannelInboundHandlerAdapter {
        private final byte[] content = new byte[SIZE];
        private int length;

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            // With the bit set, a filter has let the message pass the decoder.
            if (msg instanceof BinaryWebSocketFrame frame && frame.rsv() == 0) {
                ByteBuf part = frame.content();
                int more = part.readableBytes();
                part.readBytes(content, Math.min(length, SIZE), Math.max(0, Math.min(more, SIZE - length)));
                length += more;
            }
            ReferenceCountUtil.release(msg);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            // The handlers behind have read nothing.
        }
    }
}
