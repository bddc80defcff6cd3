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

    static final int PRELUDE_LENGTH = 8;
    /** Where the prelude says how many descriptors there are. */
    static final int DESCRIPTORS_OFFSET = 4;
    /** The length of the shortest answer, which is REP without a text. */
    private static final int SHORTEST_ANSWER = FrameCodec.HEADER_LENGTH + 4;
    /** Flag in the number of descriptors: receiving them must not change the flags of their open files. */
    static final int KEEP_FLAGS = 1 << 31;
    /** Flag in the number of descriptors: they come with the bytes of the prelude. */
    static final int BATCH = 1 << 30;

    /** How many bytes a packet has at least in a session with heads, before its first descriptor. */
    static final int HEAD_LENGTH = 512;

    private enum State {
        PRELUDE,
        GAP,
        DESCRIPTORS,
        FRAMES
    }

    private final List<Object> descriptors = new ArrayList<>();
    private Limits limits;
    private State state = State.PRELUDE;
    private int framesLength;
    private int descriptorCount;
    private boolean keepFlags;
    private boolean descriptorsMayCome = true;
    private boolean batches;
    private boolean heads;
    private boolean truncated;
    /** Whether the frames of the last packet came in another message than its descriptors. */
    private boolean framesApart;

    private ByteBuf part;
    private Runnable beforeRead = () -> {};

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

    /**
     * Sets whether the packets to come may bring descriptors. While none may come, and each packet is an answer, a read may
     * reach from the prelude into the frames.
     */
    void descriptorsMayCome(boolean mayCome) {
        descriptorsMayCome = mayCome;
    }

    /** Expects that descriptors may come with the prelude from now on. */
    void useBatches() {
        batches = true;
    }

    /**
     * Expects from now on that each packet has {@value #HEAD_LENGTH} bytes at least, and as many before its first
     * descriptor that comes alone: so many may be read at once.
     */
    void useHeads() {
        heads = true;
    }

    /** Returns whether descriptors may come with the bytes that are due. */
    boolean batchMayCome() {
        return batches && descriptorsMayCome && state == State.PRELUDE;
    }

    /** Notes that some of the descriptors that came with bytes of the prelude are lost: the last ones. */
    void truncated() {
        truncated = true;
    }

    /** Sets what is run before each read from the socket. */
    void beforeRead(Runnable task) {
        beforeRead = task;
    }

    /** Notes that the socket is about to be read. */
    void aboutToRead() {
        beforeRead.run();
    }

    int descriptorsDue() {
        return state == State.DESCRIPTORS ? descriptorCount - descriptors.size() : 0;
    }

    /** Returns whether the descriptors that are due must be received without changing the flags of their open files. */
    boolean keepFlags() {
        return keepFlags;
    }

    int bytesDue() {
        return partLength() - partReceived();
    }

    /** Returns how many of the bytes that are due, with which descriptors may come, are expected in one message. */
    int bytesTogether() {
        return framesApart ? PRELUDE_LENGTH - partReceived() : bytesDue();
    }

    private int partReceived() {
        return part == null ? 0 : part.readableBytes();
    }

    private int partLength() {
        return switch (state) {
            case PRELUDE -> heads ? HEAD_LENGTH : PRELUDE_LENGTH + (descriptorsMayCome ? 0 : SHORTEST_ANSWER);
            case GAP -> HEAD_LENGTH - PRELUDE_LENGTH;
            default -> heads ? Math.max(framesLength, HEAD_LENGTH - PRELUDE_LENGTH) : framesLength;
        };
    }

    /** Returns how many bytes and descriptors of the packet under way are here; 0 between packets. */
    int received() {
        int prelude = state == State.PRELUDE ? 0 : PRELUDE_LENGTH;
        return prelude + descriptors.size() + partReceived();
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
        addToPart(ctx, bytes);
        if (state == State.PRELUDE && part.readableBytes() >= PRELUDE_LENGTH) {
            begin(ctx, takePart());
        } else if (state != State.PRELUDE && bytesDue() == 0) {
            endPart(ctx, takePart());
        }
    }

    private void endPart(ChannelHandlerContext ctx, ByteBuf whole) {
        if (state == State.GAP) {
            whole.release();
            state = State.DESCRIPTORS;
        } else {
            finish(ctx, whole);
        }
    }

    private void addToPart(ChannelHandlerContext ctx, ByteBuf bytes) {
        int due = bytesDue();
        if (bytes.readableBytes() > due) {
            int length = bytes.readableBytes();
            bytes.release();
            throw new IllegalStateException("read " + length + " bytes (expected: <= " + due + ")");
        }
        if (part == null && bytes.readableBytes() >= (state == State.PRELUDE ? PRELUDE_LENGTH : due)) {
            part = bytes;
            return;
        }
        try {
            if (part == null) {
                part = ctx.alloc().directBuffer(Math.max(partLength(), PRELUDE_LENGTH + SHORTEST_ANSWER));
            }
            part.writeBytes(bytes);
        } finally {
            bytes.release();
        }
    }

    private ByteBuf takePart() {
        ByteBuf taken = part;
        part = null;
        return taken;
    }

    private void begin(ChannelHandlerContext ctx, ByteBuf bytes) {
        try {
            readPrelude(bytes);
            if (bytes.isReadable()) {
                beginPart(ctx, bytes);
            }
        } finally {
            bytes.release();
        }
    }

    private void readPrelude(ByteBuf prelude) {
        framesLength = prelude.readInt();
        int descriptorField = prelude.readInt();
        boolean batch = batches && (descriptorField & BATCH) != 0;
        descriptorCount = descriptorField & ~(batch ? KEEP_FLAGS | BATCH : KEEP_FLAGS);
        keepFlags = (descriptorField & KEEP_FLAGS) != 0;
        if (framesLength < FrameCodec.HEADER_LENGTH || framesLength > limits.packetBytes()) {
            throw new ProtocolException("packet length: " + (framesLength & 0xFFFFFFFFL) + " (expected: "
                    + FrameCodec.HEADER_LENGTH + ".." + limits.packetBytes() + ")");
        }
        if (descriptorCount > limits.packetDescriptors()) {
            throw new ProtocolException("descriptors in a packet: " + descriptorCount + " (expected: 0.."
                    + limits.packetDescriptors() + ")");
        }
        checkBatch(batch);
        framesApart = heads && batch && !prelude.isReadable();
        if (descriptors.size() == descriptorCount) {
            state = State.FRAMES;
        } else {
            state = heads ? State.GAP : State.DESCRIPTORS;
        }
    }

    private void checkBatch(boolean batch) {
        if (truncated) {
            truncated = false;
            while (descriptors.size() < descriptorCount) {
                descriptors.add(LostDescriptor.INSTANCE);
            }
        }
        int expected = batch ? descriptorCount : 0;
        if (descriptors.size() != expected) {
            throw new ProtocolException(
                    "descriptors that came with a prelude: " + descriptors.size() + " (expected: " + expected + ")");
        }
    }

    /** Begins with a part whose first bytes were read together with the prelude. */
    private void beginPart(ChannelHandlerContext ctx, ByteBuf first) {
        if (descriptorCount > 0 && !descriptorsMayCome) {
            throw new ProtocolException(
                    "descriptors in the answer to requests that ask for none: " + descriptorCount + " (expected: 0)");
        }
        if (first.readableBytes() > partLength()) {
            throw new ProtocolException(
                    "length of an answer: " + framesLength + " (expected: >= " + SHORTEST_ANSWER + ")");
        }
        if (first.readableBytes() == partLength()) {
            endPart(ctx, first.retain());
        } else {
            part = ctx.alloc().directBuffer(partLength()).writeBytes(first);
        }
    }

    private void collect(Object descriptor) {
        if (descriptorsDue() == 0 && !batchMayCome()) {
            ReferenceCountUtil.release(descriptor);
            throw new ProtocolException("a descriptor came with bytes of frames");
        }
        if (descriptors.size() == limits.packetDescriptors()) {
            ReferenceCountUtil.release(descriptor);
            throw new ProtocolException(
                    "descriptors that came with a prelude: more than " + limits.packetDescriptors());
        }
        descriptors.add(descriptor);
        if (state == State.DESCRIPTORS && descriptorsDue() == 0) {
            state = State.FRAMES;
        }
    }

    private void finish(ChannelHandlerContext ctx, ByteBuf frames) {
        state = State.PRELUDE;
        for (Object descriptor : descriptors) {
            ctx.fireChannelRead(descriptor);
        }
        descriptors.clear();
        ctx.fireChannelRead(frames.writerIndex(frames.readerIndex() + framesLength));
        ctx.fireChannelRead(PacketEnd.INSTANCE);
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
        state = State.PRELUDE;
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
