package io.escrow.codec;

import io.escrow.Limits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.concurrent.PromiseNotifier;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Collects the frames and descriptors that are written before a flush into packets (PROTOCOL.md, "Packets").
 *
 * <p>A frame is written as a {@link Frame}, or as a buffer that is followed by its descriptor if it has one. When a packet would
 * exceed its limits, the next one begins. Each promise completes with its packet, and so does that of a {@link PacketEnd} behind a
 * frame.
 */
final class PacketEncoder extends ChannelOutboundHandlerAdapter {

    private static final int FIRST_CAPACITY = 16 * 1024;
    private static final int LARGEST_KEPT = 64 * 1024;

    /** The most frequent frame of a daemon. */
    private static final byte[] OK = ok();

    private final List<DescriptorRegion> descriptors = new ArrayList<>();
    private final boolean daemon;
    private Limits limits;
    /** Room for the prelude, then the frames. */
    private ByteBuf frames;
    /** The buffer of most packets: for one that is asked alone, a new one would take a good part of the time. */
    private ByteBuf kept;

    private int lastFrame;
    private boolean keepFlags;
    /** {@code null} while nobody wants to know when the packet is sent. */
    private ChannelPromise packetPromise;
    /** Sends batches; {@code null} while the other side does not receive them. */
    private DescriptorRing ring;

    private Predicate<FileDescriptor> nonBlocking;
    private boolean mayBlock;
    private boolean heads;
    private boolean ownsDescriptors;

    /**
     * Makes an encoder for frames that are buffers.
     *
     * @param limits the bounds of a packet
     */
    PacketEncoder(Limits limits) {
        this(limits, false);
    }

    /**
     * Makes an encoder.
     *
     * @param limits the bounds of a packet
     * @param daemon whether it is the daemon that sends the frames
     */
    PacketEncoder(Limits limits, boolean daemon) {
        this.limits = limits;
        this.daemon = daemon;
    }

    private static byte[] ok() {
        ByteBuf bytes = Unpooled.buffer();
        FrameWriter.write(Frame.Reply.OK, true, bytes);
        return ByteBufUtil.getBytes(bytes);
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
     * Sends the descriptors of a packet together from now on, where that makes no difference to them: a receiver does not
     * make them non-blocking then.
     *
     * @param batchRing a ring of the channel's event loop
     * @param knownNonBlocking whether it is known of a descriptor that it does not block
     */
    void useBatches(DescriptorRing batchRing, Predicate<FileDescriptor> knownNonBlocking) {
        ring = batchRing;
        nonBlocking = knownNonBlocking;
    }

    /**
     * Sends packets from now on that have {@value PacketDecoder#HEAD_LENGTH} bytes at least, but for that of a HEL.
     *
     * @param noneIsClosed whether no descriptor is closed by others before it is sent. Then the whole head of a packet may
     *     travel with them: no frame needs a mark afterwards
     */
    void useHeads(boolean noneIsClosed) {
        heads = true;
        ownsDescriptors = noneIsClosed;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        kept = Unpooled.directBuffer(FIRST_CAPACITY);
        ctx.channel().closeFuture().addListener(closed -> kept.release());
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (msg instanceof Frame frame) {
            addFrame(ctx, frame);
            if (frame instanceof Frame.Add add && add.descriptor() != null) {
                addDescriptor(ctx, add.descriptor());
            }
        } else if (msg instanceof ByteBuf frame) {
            addFrame(ctx, frame);
        } else if (msg instanceof FileDescriptor descriptor) {
            addDescriptor(ctx, descriptor);
        } else if (msg == PacketEnd.INSTANCE && isEmpty()) {
            promise.setFailure(new IllegalStateException("no frame was written"));
            return;
        } else if (msg != PacketEnd.INSTANCE) {
            ctx.write(msg, promise);
            return;
        }
        if (!promise.isVoid()) {
            packetPromise = packetPromise == null ? ctx.newPromise() : packetPromise;
            packetPromise.addListener(new PromiseNotifier<>(false, promise));
        }
    }

    private void addDescriptor(ChannelHandlerContext ctx, FileDescriptor descriptor) {
        Socket socket = (Socket) ((UnixChannel) ctx.channel()).fd();
        int flagsIndex = lastFrame + FrameCodec.FLAGS_OFFSET;
        descriptors.add(new DescriptorRegion(socket, descriptor, frames, flagsIndex));
        boolean asItIs = (frames.getByte(flagsIndex) & FrameCodec.KEEP_FLAGS) != 0;
        keepFlags |= asItIs;
        mayBlock |= ring != null && !asItIs && !nonBlocking.test(descriptor);
    }

    /** Returns whether a descriptor is a socket of one of Netty's channels, which does not block. */
    static boolean isOfChannel(FileDescriptor descriptor) {
        return descriptor instanceof Socket
                || (descriptor instanceof BorrowedDescriptor borrowed && borrowed.isOfChannel());
    }

    /** Writes a frame where the packet is collected; when it does not fit, it becomes the first one of the next packet. */
    private void addFrame(ChannelHandlerContext ctx, Frame frame) {
        if (frames != null && descriptors.size() == limits.packetDescriptors()) {
            writePacket(ctx);
        }
        begin(ctx);
        int start = frames.writerIndex();
        try {
            if (frame == Frame.Reply.OK && daemon) {
                frames.writeBytes(OK);
            } else {
                FrameWriter.write(frame, daemon, frames);
            }
        } catch (Throwable e) {
            frames.writerIndex(start);
            throw e;
        }
        lastFrame = start;
        if (framesLength() > limits.packetBytes() && start > PacketDecoder.PRELUDE_LENGTH) {
            ByteBuf whole = frames;
            ByteBuf last = whole.copy(start, whole.writerIndex() - start);
            whole.writerIndex(start);
            writePacket(ctx);
            addFrame(ctx, last);
        }
    }

    private void addFrame(ChannelHandlerContext ctx, ByteBuf frame) {
        if (frames != null
                && (framesLength() + frame.readableBytes() > limits.packetBytes()
                        || descriptors.size() == limits.packetDescriptors())) {
            writePacket(ctx);
        }
        begin(ctx);
        lastFrame = frames.writerIndex();
        if (frame.hasArray()) {
            // Without the two views that a copy from buffer to buffer makes.
            frames.writeBytes(frame.array(), frame.arrayOffset() + frame.readerIndex(), frame.readableBytes());
        } else {
            frames.writeBytes(frame);
        }
        frame.release();
    }

    /** Returns whether there is nothing to send: a frame that could not be encoded leaves nothing. */
    private boolean isEmpty() {
        return frames == null || framesLength() == 0;
    }

    private void begin(ChannelHandlerContext ctx) {
        if (frames == null) {
            // Direct, so that the channel sends this very buffer: a descriptor that can't be sent is marked in it.
            frames = emptyBuffer(ctx).writeZero(PacketDecoder.PRELUDE_LENGTH);
        }
    }

    private ByteBuf emptyBuffer(ChannelHandlerContext ctx) {
        if (kept.refCnt() != 1) {
            return ctx.alloc()
                    .directBuffer(FIRST_CAPACITY); // An earlier packet is not sent yet, or the channel is closed.
        }
        if (kept.capacity() > LARGEST_KEPT) {
            kept.capacity(FIRST_CAPACITY);
        }
        return kept.clear().retain();
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (!isEmpty()) {
            writePacket(ctx);
        }
        ctx.flush();
    }

    private int framesLength() {
        return frames.readableBytes() - PacketDecoder.PRELUDE_LENGTH;
    }

    private void writePacket(ChannelHandlerContext ctx) {
        ByteBuf packet = frames;
        packet.setInt(0, framesLength());
        packet.setInt(4, descriptors.size() | (keepFlags ? PacketDecoder.KEEP_FLAGS : 0));
        frames = null;
        keepFlags = false;
        if (heads && packet.readableBytes() < PacketDecoder.HEAD_LENGTH && !isHello(packet)) {
            packet.writeZero(PacketDecoder.HEAD_LENGTH - packet.readableBytes());
        }
        if (!descriptors.isEmpty()) {
            writeDescriptors(ctx, packet);
        }
        mayBlock = false;
        ctx.write(packet, packetPromise == null ? ctx.channel().unsafe().voidPromise() : packetPromise);
        packetPromise = null;
    }

    private static boolean isHello(ByteBuf packet) {
        return packet.getUnsignedByte(PacketDecoder.PRELUDE_LENGTH + FrameCodec.OPCODE_OFFSET) == Opcode.HEL.code;
    }

    private void writeDescriptors(ChannelHandlerContext ctx, ByteBuf packet) {
        ChannelPromise silent = ctx.channel().unsafe().voidPromise();
        int gap = heads ? PacketDecoder.HEAD_LENGTH - PacketDecoder.PRELUDE_LENGTH : 0;
        if (isBatch()) {
            Socket socket = (Socket) ((UnixChannel) ctx.channel()).fd();
            ByteBuf head = packet.readRetainedSlice(
                    heads && ownsDescriptors ? PacketDecoder.HEAD_LENGTH : PacketDecoder.PRELUDE_LENGTH);
            ctx.write(new DescriptorBatch(ring, socket, head, List.copyOf(descriptors), gap), silent);
        } else {
            ctx.write(packet.readRetainedSlice(PacketDecoder.PRELUDE_LENGTH), silent);
            if (gap > 0) {
                ctx.write(ctx.alloc().directBuffer(gap).writeZero(gap), silent);
            }
            for (DescriptorRegion descriptor : descriptors) {
                ctx.write(descriptor, silent);
            }
        }
        descriptors.clear();
    }

    private boolean isBatch() {
        return ring != null && !mayBlock && descriptors.size() <= DescriptorMessage.MOST_DESCRIPTORS;
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        descriptors.forEach(DescriptorRegion::release);
        descriptors.clear();
        if (frames != null) {
            frames.release();
            frames = null;
        }
        if (packetPromise != null) {
            packetPromise.tryFailure(new ClosedChannelException());
            packetPromise = null;
        }
    }
}
