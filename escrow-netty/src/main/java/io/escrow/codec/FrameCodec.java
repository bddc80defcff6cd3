package io.escrow.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
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
 * <p>A frame with a descriptor takes the next one of those that came through the pipeline before it. A frame whose
 * fields are wrong becomes a {@link Frame.Invalid}; what makes the stream itself doubtful throws a {@link
 * ProtocolException}.
 */
public final class FrameCodec extends ByteToMessageCodec<Frame> {

    static final int HEADER_LENGTH = 12;
    static final int FLAGS_OFFSET = 5;

    /** The frame comes with a descriptor: the next one of its packet. */
    static final int DESCRIPTOR = 0x01;
    /** The descriptor could not be sent, and /dev/null came in its place. */
    static final int STAND_IN = 0x02;
    /** The descriptor must be received without changing the flags of its open file. */
    static final int KEEP_FLAGS = 0x04;
    /** The body begins with a farewell. */
    static final int FAREWELL = 0x08;
    /** The daemon is to look which peers have gone. */
    static final int LOOK = 0x10;
    /** The daemon sends this frame. */
    static final int REPLY = 0x80;

    static final int MAGIC = 0x45534352;
    private static final int REST_OF_HEADER = HEADER_LENGTH - 4;
    private static final int HELLO_LENGTH = 8;
    private static final int LIMITS_LENGTH = 24;
    private static final int CONNECTED_AT_LENGTH = 8;
    private static final int PAGE_HEADER_LENGTH = 8;
    static final int SLOT_LENGTH = 12;
    static final int HOLDS_DESCRIPTOR = 1;
    static final int PEER_GONE = 2;
    /** The feature of receiving descriptors without changing the flags of their open files. */
    static final int KEEPS_FLAGS = 1;

    private final boolean daemon;
    private final Queue<Object> descriptors = new ArrayDeque<>();
    private Limits limits;
    private int framesInPacket;
    private int descriptorsInPacket;
    private int undecoded;

    /**
     * Makes a codec.
     *
     * @param daemon whether this is the daemon's side, which receives requests and sends replies
     * @param limits the bounds of frames and packets
     */
    public FrameCodec(boolean daemon, Limits limits) {
        this.daemon = daemon;
        this.limits = limits;
    }

    /**
     * Sets the bounds of the frames to come.
     *
     * @param limits the bounds
     */
    public void limits(Limits limits) {
        this.limits = limits;
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
        framesInPacket = 0;
        descriptorsInPacket = 0;
        int left = descriptors.size();
        if (left > 0) {
            closeDescriptors();
            throw new ProtocolException(
                    "descriptors that no frame of the packet announces: " + left + " (expected: 0)");
        }
        if (undecoded > 0) {
            throw new ProtocolException(
                    "bytes behind the last whole frame of the packet: " + undecoded + " (expected: 0)");
        }
        ctx.fireChannelRead(PacketEnd.INSTANCE);
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
        try {
            Frame frame = decodeFrame(in);
            if (frame != null) {
                out.add(frame);
            }
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
            throw untrusted(
                    in,
                    "frame length: " + (length & 0xFFFFFFFFL) + " (expected: " + REST_OF_HEADER + ".."
                            + (limits.packetBytes() - 4) + ")");
        }
        if (in.readableBytes() < 4 + length) {
            return null;
        }
        if (++framesInPacket > limits.packetFrames()) {
            throw untrusted(in, "frames in a packet: more than " + limits.packetFrames());
        }
        in.skipBytes(4);
        Opcode opcode = Opcode.of(in.readUnsignedByte());
        int flags = in.readUnsignedByte();
        int tag = in.readUnsignedShort();
        int index = in.readInt();
        int bodyLength = length - REST_OF_HEADER;
        if (opcode == null || (flags & REPLY) != (daemon ? 0 : REPLY)) {
            throw untrusted(
                    in,
                    "opcode: " + in.getUnsignedByte(in.readerIndex() - 8) + " with flags " + flags
                            + (daemon ? " (expected: a request)" : " (expected: a reply)"));
        }
        if ((opcode == Opcode.GET || (flags & DESCRIPTOR) != 0) && ++descriptorsInPacket > limits.packetDescriptors()) {
            throw untrusted(
                    in, "requests in a packet with a descriptor, or for one: more than " + limits.packetDescriptors());
        }
        Object descriptor = (flags & DESCRIPTOR) == 0 ? null : descriptors.poll();
        Frame frame;
        int end = in.readerIndex() + bodyLength;
        if (opcode == Opcode.ADD) {
            frame = decodeAdd(in, flags, tag, index, bodyLength, descriptor);
        } else if ((flags & DESCRIPTOR) != 0) {
            ReferenceCountUtil.release(descriptor);
            frame = new Frame.Invalid(Status.EINVAL, "a descriptor came with " + opcode + " (expected: only with ADD)");
        } else {
            frame = decodeOther(in, opcode, flags, tag, index, bodyLength);
        }
        in.readerIndex(end);
        return frame;
    }

    private Frame decodeAdd(ByteBuf in, int flags, int tag, int index, int bodyLength, Object descriptor) {
        Frame.Invalid problem;
        try {
            SlotBody body = SlotBody.read(in, Opcode.ADD, flags, bodyLength, limits);
            problem = checkDescriptor(flags, tag, index, descriptor);
            if (problem == null) {
                byte[] farewell = body.farewell() == null ? Deposit.NO_BYTES : body.farewell();
                boolean keepFlags = (flags & KEEP_FLAGS) != 0;
                OwnedDescriptor owned = (OwnedDescriptor) descriptor;
                return new Frame.Add(tag, index, body.number(), body.payload(), farewell, keepFlags, owned);
            }
        } catch (EscrowException e) {
            problem = new Frame.Invalid(e.status(), e.text());
        }
        ReferenceCountUtil.release(descriptor);
        return problem;
    }

    private static Frame.Invalid checkDescriptor(int flags, int tag, int index, Object descriptor) {
        String slot = "slot " + tag + "/" + index;
        if (descriptor == LostDescriptor.INSTANCE) {
            return new Frame.Invalid(
                    Status.EMFILE,
                    "the descriptor for " + slot
                            + " was lost: too many open, several in a message, or of a kind that can't be received");
        }
        if ((flags & STAND_IN) != 0) {
            return new Frame.Invalid(
                    Status.EBADF, "the descriptor for " + slot + " could not be sent: closed, or of a kind that can't");
        }
        if ((flags & DESCRIPTOR) != 0 && descriptor == null) {
            return new Frame.Invalid(Status.EINVAL, "the descriptor announced for " + slot + " did not come");
        }
        return null;
    }

    private Frame decodeOther(ByteBuf in, Opcode opcode, int flags, int tag, int index, int bodyLength) {
        return switch (opcode) {
            case HEL -> decodeHello(in, bodyLength);
            case GET -> {
                expectBody(in, opcode, bodyLength, 0);
                yield new Frame.Get(tag, index);
            }
            case UPD -> decodeUpdate(in, flags, tag, index, bodyLength);
            case DEL -> {
                expectBody(in, opcode, bodyLength, 0);
                yield new Frame.Delete(tag, index);
            }
            case TAG -> {
                expectBody(in, opcode, bodyLength, 0);
                yield new Frame.Tag(tag);
            }
            case LST -> daemon ? decodeListRequest(in, flags, tag, index, bodyLength) : decodePage(in, tag, bodyLength);
            case INF -> decodeInfo(in, tag, bodyLength);
            case REP -> decodeReply(in, bodyLength);
            case ADD -> throw new AssertionError(opcode);
        };
    }

    private Frame decodeUpdate(ByteBuf in, int flags, int tag, int index, int bodyLength) {
        try {
            SlotBody body = SlotBody.read(in, Opcode.UPD, flags, bodyLength, limits);
            return new Frame.Update(tag, index, body.payload(), body.farewell());
        } catch (EscrowException e) {
            return new Frame.Invalid(e.status(), e.text());
        }
    }

    private static Frame decodeListRequest(ByteBuf in, int flags, int tag, int from, int bodyLength) {
        expectBody(in, Opcode.LST, bodyLength, 4);
        return new Frame.ListRequest(tag, from, in.readInt(), (flags & LOOK) != 0);
    }

    private static Frame decodeInfo(ByteBuf in, int tag, int bodyLength) {
        expectBody(in, Opcode.INF, bodyLength, 24);
        int used = in.readInt();
        in.skipBytes(4);
        return new Frame.Info(tag, used, in.readLong(), in.readLong());
    }

    private static Frame decodeReply(ByteBuf in, int bodyLength) {
        if (bodyLength < 4) {
            throw untrusted(in, "length of REP: " + bodyLength + " (expected: >= 4)");
        }
        return new Frame.Reply(
                Status.ofWire(-in.readInt()),
                in.readCharSequence(bodyLength - 4, UTF_8).toString());
    }

    private Frame decodeHello(ByteBuf in, int bodyLength) {
        int expected = daemon ? HELLO_LENGTH : HELLO_LENGTH + LIMITS_LENGTH;
        if (bodyLength < expected) {
            throw untrusted(in, "length of HEL: " + bodyLength + " (expected: >= " + expected + ")");
        }
        int magic = in.readInt();
        if (magic != MAGIC) {
            throw untrusted(in, String.format("magic of HEL: %08x (expected: %08x)", magic, MAGIC));
        }
        int version = in.readUnsignedShort();
        boolean keepsFlags = (in.readUnsignedShort() & KEEPS_FLAGS) != 0;
        int more = bodyLength - expected;
        return daemon
                ? new Frame.Hello(version, keepsFlags, more < CONNECTED_AT_LENGTH ? 0 : in.readLong(), null)
                : new Frame.Hello(version, keepsFlags, decodeLimits(in, more));
    }

    private static Limits decodeLimits(ByteBuf in, int more) {
        try {
            return new Limits(
                    in.readInt(),
                    in.readInt(),
                    in.readInt(),
                    in.readInt(),
                    in.readInt(),
                    in.readInt(),
                    more < 4 ? 0 : in.readInt());
        } catch (IllegalArgumentException e) {
            throw untrusted(in, "limits of HEL: " + e.getMessage());
        }
    }

    private static Frame decodePage(ByteBuf in, int tag, int bodyLength) {
        if (bodyLength < PAGE_HEADER_LENGTH) {
            throw untrusted(in, "length of LST: " + bodyLength + " (expected: >= " + PAGE_HEADER_LENGTH + ")");
        }
        int next = in.readInt();
        int count = in.readInt();
        if (count < 0 || count > Frame.ListRequest.PAGE) {
            throw untrusted(in, "slots in LST: " + count + " (expected: 0.." + Frame.ListRequest.PAGE + ")");
        }
        expectBody(in, Opcode.LST, bodyLength, PAGE_HEADER_LENGTH + count * SLOT_LENGTH);
        List<SlotInfo> slots = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int index = in.readInt();
            int payloadSize = in.readInt();
            int flags = in.readInt();
            slots.add(new SlotInfo(tag, index, payloadSize, (flags & HOLDS_DESCRIPTOR) != 0, (flags & PEER_GONE) != 0));
        }
        return new Frame.ListPage(tag, next, slots);
    }

    private static void expectBody(ByteBuf in, Opcode opcode, int length, int expected) {
        if (length != expected) {
            throw untrusted(in, "length of " + opcode + ": " + length + " (expected: " + expected + ")");
        }
    }

    /** Drops the rest of the input, so that it is not decoded again. */
    private static ProtocolException untrusted(ByteBuf in, String text) {
        in.readerIndex(in.writerIndex());
        return new ProtocolException(text);
    }

    // Sending

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
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
        closeDescriptors();
        super.handlerRemoved(ctx);
    }

    private void closeDescriptors() {
        descriptors.forEach(ReferenceCountUtil::release);
        descriptors.clear();
    }
}
