package io.escrow.daemon.follow;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.Status;
import io.escrow.codec.PacketEnd;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * Turns the bytes of packets into {@link LinkFrame}s and back. The frames have the header of PROTOCOL.md with an opcode of
 * their own; the kind stands in place of the tag.
 *
 * <p>A descriptor that is lost ends the link: a follower never has a part of what the primary has.
 */
final class LinkCodec extends ChannelDuplexHandler {

    private static final int OPCODE = 10;
    private static final int HEADER = 12;
    private static final int DESCRIPTOR = 0x01;
    private static final int STAND_IN = 0x02;
    private static final int KEEP_FLAGS = 0x04;

    private static final int LARGEST_KEPT = 64 * 1024;

    private final ByteBuf kept = Unpooled.buffer();

    /** The frames of the packet that is being read, from where it is read next. */
    private byte[] packet = Deposit.NO_BYTES;

    private int at;
    private int end;

    /** What came before the frames of the packet: descriptors, or what stands for lost ones. */
    private final Queue<Object> descriptors = new ArrayDeque<>();

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws Exception {
        if (msg instanceof ByteBuf frames) {
            take(frames);
            while (at < end) {
                ctx.fireChannelRead(decode());
            }
        } else if (msg == PacketEnd.INSTANCE) {
            drop();
            ctx.fireChannelRead(msg);
        } else {
            descriptors.add(msg);
        }
    }

    /** Copies the frames of a packet: all in one piece, which is used again. */
    private void take(ByteBuf frames) {
        at = 0;
        end = frames.readableBytes();
        if (packet.length < end || packet.length > LARGEST_KEPT) {
            packet = new byte[end];
        }
        frames.readBytes(packet, 0, end);
        frames.release();
    }

    private LinkFrame decode() throws EscrowException {
        if (end - at < HEADER) {
            throw wrong("bytes behind the last whole frame of the packet: " + (end - at));
        }
        Fields header = Fields.read(packet, at, at + HEADER);
        int length = header.getInt() + 4 - HEADER;
        int what = header.getInt();
        int opcode = what >>> 24;
        int flags = (what >>> 16) & 0xFF;
        LinkKind kind = LinkKind.of(what & 0xFFFF);
        int from = at + HEADER;
        if (opcode != OPCODE || kind == null || length < 0 || length > end - from) {
            throw wrong("a frame of opcode " + opcode + ", kind " + kind + ", and length " + length);
        }
        at = from + length;
        Fields body = Fields.read(packet, from, at);
        if ((flags & DESCRIPTOR) == 0) {
            return LinkFrame.of(kind, body);
        }
        Object descriptor = descriptors.poll();
        boolean lost = (flags & STAND_IN) != 0 || !(descriptor instanceof OwnedDescriptor);
        if (lost) {
            ReferenceCountUtil.release(descriptor);
            if (kind != LinkKind.SESSION) {
                throw new EscrowException(
                        Status.EMFILE, "a descriptor was lost between two daemons: may this one open enough files?");
            }
            // The client went while its connection was sent: what comes next says so.
            descriptor = null;
        }
        return new LinkFrame(kind, body, (flags & KEEP_FLAGS) != 0, (OwnedDescriptor) descriptor);
    }

    private static EscrowException wrong(String what) {
        return new EscrowException(Status.EPROTO, what + " on the link between two daemons");
    }

    private void drop() {
        descriptors.forEach(ReferenceCountUtil::release);
        descriptors.clear();
    }

    /** Returns an empty buffer: the one before, which was copied into a packet at once, and released. */
    private ByteBuf room(int length) {
        if (length > LARGEST_KEPT || kept.refCnt() > 1) {
            return Unpooled.buffer(length);
        }
        return kept.clear().retain();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        drop();
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (!(msg instanceof LinkFrame frame)) {
            ctx.write(msg, promise);
            return;
        }
        int length = HEADER + frame.body().length();
        ByteBuf out = room(length);
        boolean descriptor = frame.descriptor() != null;
        out.writeInt(length - 4).writeByte(OPCODE);
        out.writeByte((descriptor ? DESCRIPTOR : 0) | (descriptor && frame.keepFlags() ? KEEP_FLAGS : 0));
        out.writeShort(frame.kind().code).writeInt(0);
        frame.body().copyTo(out);
        ctx.write(out, promise);
        if (descriptor) {
            ctx.write(frame.descriptor(), ctx.channel().unsafe().voidPromise());
        }
    }
}
