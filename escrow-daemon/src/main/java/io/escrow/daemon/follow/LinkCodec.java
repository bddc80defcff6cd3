package io.escrow.daemon.follow;

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

    /** What came before the frames of the packet: descriptors, or what stands for lost ones. */
    private final Queue<Object> descriptors = new ArrayDeque<>();

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws Exception {
        if (msg instanceof ByteBuf frames) {
            try {
                while (frames.isReadable()) {
                    ctx.fireChannelRead(decode(frames));
                }
            } finally {
                frames.release();
            }
        } else if (msg == PacketEnd.INSTANCE) {
            drop();
            ctx.fireChannelRead(msg);
        } else {
            descriptors.add(msg);
        }
    }

    private LinkFrame decode(ByteBuf in) throws EscrowException {
        if (in.readableBytes() < HEADER) {
            throw wrong("bytes behind the last whole frame of the packet: " + in.readableBytes());
        }
        int length = in.readInt() + 4 - HEADER;
        int opcode = in.readUnsignedByte();
        int flags = in.readUnsignedByte();
        LinkKind kind = LinkKind.of(in.readUnsignedShort());
        in.skipBytes(4);
        if (opcode != OPCODE || kind == null || length < 0 || length > in.readableBytes()) {
            throw wrong("a frame of opcode " + opcode + ", kind " + kind + ", and length " + length);
        }
        byte[] body = new byte[length];
        in.readBytes(body);
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
        // Copied into a packet at once.
        ByteBuf out = Unpooled.buffer(HEADER + frame.body().length);
        boolean descriptor = frame.descriptor() != null;
        out.writeInt(HEADER - 4 + frame.body().length).writeByte(OPCODE);
        out.writeByte((descriptor ? DESCRIPTOR : 0) | (descriptor && frame.keepFlags() ? KEEP_FLAGS : 0));
        out.writeShort(frame.kind().code).writeInt(0).writeBytes(frame.body());
        ctx.write(out, promise);
        if (descriptor) {
            ctx.write(frame.descriptor(), ctx.channel().unsafe().voidPromise());
        }
    }
}
