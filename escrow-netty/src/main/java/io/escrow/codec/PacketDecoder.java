package io.escrow.codec;

import io.escrow.Limits;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayList;
import java.util.List;

/**
 * Collects a packet and passes it on when it is whole: its descriptors one by one, then its frames as one buffer, then
 * {@link PacketEnd} (PROTOCOL.md, "Packets").
 *
 * <p>The decoder reads nothing by itself: {@link ExactReads} asks it how many descriptors or bytes are due, so that no
 * read reaches beyond the bytes and into a descriptor. When the sender goes in the middle of a packet, what was
 * collected is closed and dropped.
 */
final class PacketDecoder extends ChannelInboundHandlerAdapter {

    private static final int PRELUDE_LENGTH = 8;
    /** Flag in the number of descriptors: receiving them must not change the flags of their open files. */
    static final int KEEP_FLAGS = 1 << 31;

    private enum State {
        PRELUDE,
        DESCRIPTORS,
        FRAMES
    }

    private final List<Object> descriptors = new ArrayList<>();
    private Limits limits;
    private State state = State.PRELUDE;
    private int partLength = PRELUDE_LENGTH;
    private int framesLength;
    private int descriptorCount;
    private boolean keepFlags;
    private ByteBuf part;

    /**
     * Makes a decoder.
     *
     * @param limits the bounds of a packet
     */
    PacketDecoder(Limits limits) {
        this.limits = limits;
    }

    /**
     * Sets the bounds of the packets to come.
     *
     * @param limits the bounds
     */
    void limits(Limits limits) {
        this.limits = limits;
    }

    int descriptorsDue() {
        return state == State.DESCRIPTORS ? descriptorCount - descriptors.size() : 0;
    }

    /** Returns whether the descriptors that are due must be received without changing the flags of their open files. */
    boolean keepFlags() {
        return keepFlags;
    }

    int bytesDue() {
        return partLength - (part == null ? 0 : part.readableBytes());
    }

    /** Returns how many bytes and descriptors of the packet under way are here; 0 between packets. */
    int received() {
        int prelude = state == State.PRELUDE ? 0 : PRELUDE_LENGTH;
        return prelude + descriptors.size() + (part == null ? 0 : part.readableBytes());
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof ByteBuf bytes) {
            collect(ctx, bytes);
        } else if (msg instanceof FileDescriptor || msg == LostDescriptor.INSTANCE) {
            collect(msg);
        } else {
            ctx.fireChannelRead(msg);
        }
    }

    private void collect(ChannelHandlerContext ctx, ByteBuf bytes) {
        if (descriptorsDue() > 0) {
            bytes.release();
            throw new ProtocolException("a byte came where a descriptor was due");
        }
        if (part == null && bytes.readableBytes() == partLength) {
            part = bytes;
        } else {
            try {
                if (bytes.readableBytes() > bytesDue()) {
                    throw new IllegalStateException(
                            "read " + bytes.readableBytes() + " bytes (expected: <= " + bytesDue() + ")");
                }
                if (part == null) {
                    part = ctx.alloc().directBuffer(partLength);
                }
                part.writeBytes(bytes);
            } finally {
                bytes.release();
            }
        }
        if (bytesDue() == 0) {
            ByteBuf whole = part;
            part = null;
            if (state == State.PRELUDE) {
                begin(whole);
            } else {
                finish(ctx, whole);
            }
        }
    }

    private void begin(ByteBuf prelude) {
        framesLength = prelude.readInt();
        int descriptorField = prelude.readInt();
        descriptorCount = descriptorField & ~KEEP_FLAGS;
        keepFlags = (descriptorField & KEEP_FLAGS) != 0;
        prelude.release();
        if (framesLength < FrameCodec.HEADER_LENGTH || framesLength > limits.packetBytes()) {
            throw new ProtocolException("packet length: " + (framesLength & 0xFFFFFFFFL) + " (expected: "
                    + FrameCodec.HEADER_LENGTH + ".." + limits.packetBytes() + ")");
        }
        if (descriptorCount > limits.packetDescriptors()) {
            throw new ProtocolException("descriptors in a packet: " + descriptorCount + " (expected: 0.."
                    + limits.packetDescriptors() + ")");
        }
        expect(descriptorCount > 0 ? State.DESCRIPTORS : State.FRAMES, framesLength);
    }

    private void collect(Object descriptor) {
        if (descriptorsDue() == 0) {
            ReferenceCountUtil.release(descriptor);
            throw new IllegalStateException("a descriptor was read that no packet announced");
        }
        descriptors.add(descriptor);
        if (descriptorsDue() == 0) {
            expect(State.FRAMES, framesLength);
        }
    }

    private void finish(ChannelHandlerContext ctx, ByteBuf frames) {
        expect(State.PRELUDE, PRELUDE_LENGTH);
        for (Object descriptor : descriptors) {
            ctx.fireChannelRead(descriptor);
        }
        descriptors.clear();
        ctx.fireChannelRead(frames);
        ctx.fireChannelRead(PacketEnd.INSTANCE);
    }

    private void expect(State next, int length) {
        state = next;
        partLength = length;
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        drop();
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        drop();
    }

    private void drop() {
        descriptors.forEach(ReferenceCountUtil::release);
        descriptors.clear();
        expect(State.PRELUDE, PRELUDE_LENGTH);
        if (part != null) {
            part.release();
            part = null;
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (cause != NotYet.INSTANCE) {
            ctx.fireExceptionCaught(cause);
        }
    }
}
