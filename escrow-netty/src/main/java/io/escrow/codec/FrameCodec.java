package io.escrow.codec;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.ByteToMessageCodec;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;

/**
 * Turns the bytes of packets into {@link Frame}s and back (PROTOCOL.md, "Frames").
 *
 * <p>A frame with a descriptor takes the next of the descriptors that came through the pipeline before it. A frame with
 * wrong fields becomes a {@link Frame.Invalid}. When the stream itself can't be trusted any more, a {@link
 * ProtocolException} is thrown. The frames of a packet are passed on at its end, so that none is carried out of a packet
 * that can't be trusted.
 */
public final class FrameCodec extends ByteToMessageCodec<Frame> {

    static final int HEADER_LENGTH = 12;
    static final int OPCODE_OFFSET = 4;
    static final int FLAGS_OFFSET = 5;

    /** The frame has a descriptor: the next one of its packet. */
    static final int DESCRIPTOR = 0x01;
    /** The descriptor could not be sent, and /dev/null came in its place. */
    static final int STAND_IN = 0x02;
    /** The descriptor must be received without changing the flags of its open file. */
    static final int KEEP_FLAGS = 0x04;
    /** The body begins with a farewell. */
    static final int FAREWELL = 0x08;
    /** The daemon looks which peers have gone. */
    static final int LOOK = 0x10;
    /** The daemon sends this frame. */
    static final int REPLY = 0x80;

    static final int MAGIC = 0x45534352;
    private static final int REST_OF_HEADER = HEADER_LENGTH - 4;
    static final int SLOT_LENGTH = 12;
    static final int HOLDS_DESCRIPTOR = 1;
    static final int PEER_GONE = 2;
    /** The feature of receiving descriptors without changing the flags of their open files. */
    static final int KEEPS_FLAGS = 1;
    /** The feature of sending and receiving the descriptors of a packet in one message. */
    static final int BATCHES = 2;

    private final boolean daemon;
    private final Queue<Object> descriptors = new ArrayDeque<>();
    private final List<Frame> frames = new ArrayList<>();
    private final FrameReader reader;
    private final boolean encoding;
    private Limits limits;
    private boolean hello;
    private int descriptorsInPacket;
    private int undecoded;

    /**
     * Makes a codec.
     *
     * @param daemon whether this is the daemon's side, which receives requests and sends replies
     * @param limits the bounds of frames and packets
     */
    public FrameCodec(boolean daemon, Limits limits) {
        this(daemon, limits, true);
    }

    /** Makes a codec; if it is not encoding, it leaves that to a {@link PacketEncoder}, which needs no buffer for each frame. */
    FrameCodec(boolean daemon, Limits limits, boolean encoding) {
        this.encoding = encoding;
        this.daemon = daemon;
        this.limits = limits;
        this.reader = new FrameReader(daemon, limits);
    }

    /**
     * Sets the bounds of the frames to come.
     *
     * @param limits the bounds
     */
    public void limits(Limits limits) {
        this.limits = limits;
        reader.limits(limits);
    }

    /**
     * Returns how many bytes a request takes on the wire at most.
     *
     * @param request the request
     * @return the length of the frame if it is an ADD, its header included; that of no other is larger
     */
    public static int maxLength(Frame request) {
        int farewell = request.farewell() == null ? 0 : request.farewell().length;
        return HEADER_LENGTH + 8 + request.payload().length + (farewell == 0 ? 0 : 4 + farewell);
    }

    // Receiving

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws Exception {
        if (msg instanceof OwnedDescriptor || msg == LostDescriptor.INSTANCE) {
            descriptors.add(msg);
        } else if (msg == PacketEnd.INSTANCE) {
            endPacket(ctx);
        } else {
            super.channelRead(ctx, msg);
        }
    }

    private void endPacket(ChannelHandlerContext ctx) {
        checkPacket();
        for (Frame frame : frames) {
            ctx.fireChannelRead(frame);
        }
        beginPacket();
        ctx.fireChannelRead(PacketEnd.INSTANCE);
    }

    private void checkPacket() {
        String problem = null;
        if (!descriptors.isEmpty()) {
            problem = "descriptors that no frame of the packet announces: " + descriptors.size() + " (expected: 0)";
        } else if (undecoded > 0) {
            problem = "bytes behind the last whole frame of the packet: " + undecoded + " (expected: 0)";
        } else if (hello && frames.size() > 1) {
            problem = "frames in the packet of HEL: " + frames.size() + " (expected: 1)";
        }
        if (problem != null) {
            dropPacket();
            throw new ProtocolException(problem);
        }
    }

    private void beginPacket() {
        frames.clear();
        hello = false;
        descriptorsInPacket = 0;
    }

    /** Drops what came of a packet. */
    private void dropPacket() {
        for (Frame frame : frames) {
            if (frame instanceof Frame.Add add) {
                ReferenceCountUtil.release(add.descriptor());
            }
        }
        beginPacket();
        descriptors.forEach(ReferenceCountUtil::release);
        descriptors.clear();
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
        try {
            for (Frame frame = decodeFrame(in); frame != null; frame = decodeFrame(in)) {
                frames.add(frame);
            }
        } catch (ProtocolException e) {
            dropPacket();
            throw e;
        } finally {
            undecoded = in.readableBytes();
        }
    }

    /** Returns the next frame, or {@code null} when it is not whole yet. */
    private Frame decodeFrame(ByteBuf in) {
        if (in.readableBytes() < 4) {
            return null;
        }
        int length = in.getInt(in.readerIndex());
        if (length < REST_OF_HEADER || length > limits.packetBytes() - 4) {
            throw FrameReader.untrusted(
                    in,
                    "frame length: " + length + " (expected: " + REST_OF_HEADER + ".." + (limits.packetBytes() - 4)
                            + ")");
        }
        if (in.readableBytes() < 4 + length) {
            return null;
        }
        if (frames.size() == limits.packetFrames()) {
            throw FrameReader.untrusted(in, "frames in a packet: more than " + limits.packetFrames());
        }
        in.skipBytes(4);
        Opcode opcode = Opcode.of(in.readUnsignedByte());
        int flags = in.readUnsignedByte();
        int tag = in.readUnsignedShort();
        int index = in.readInt();
        int bodyLength = length - REST_OF_HEADER;
        if (opcode == null || (daemon && !opcode.request) || (flags & REPLY) != (daemon ? 0 : REPLY)) {
            throw FrameReader.untrusted(
                    in,
                    "opcode: " + in.getUnsignedByte(in.readerIndex() - 8) + " with flags " + flags
                            + (daemon ? " (expected: a request)" : " (expected: a reply)"));
        }
        if ((opcode == Opcode.GET || (flags & DESCRIPTOR) != 0) && ++descriptorsInPacket > limits.packetDescriptors()) {
            throw FrameReader.untrusted(
                    in, "requests in a packet with a descriptor, or for one: more than " + limits.packetDescriptors());
        }
        hello |= opcode == Opcode.HEL;
        Object descriptor = (flags & DESCRIPTOR) == 0 ? null : descriptors.poll();
        return reader.header(opcode, flags, tag, index).body(in, bodyLength, descriptor);
    }

    // Sending

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
        if (!encoding) {
            ctx.write(msg, promise);
            return;
        }
        super.write(ctx, msg, promise);
        if (msg instanceof Frame.Add add && add.descriptor() != null) {
            ctx.write(add.descriptor(), ctx.channel().unsafe().voidPromise());
        }
    }

    @Override
    protected void encode(ChannelHandlerContext ctx, Frame frame, ByteBuf out) {
        FrameWriter.write(frame, daemon, out);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) throws Exception {
        dropPacket();
        super.handlerRemoved(ctx);
    }
}
