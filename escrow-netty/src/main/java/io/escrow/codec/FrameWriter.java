package io.escrow.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.netty.buffer.ByteBuf;

/** Writes frames as bytes (PROTOCOL.md, "Frames"). */
final class FrameWriter {

    private FrameWriter() {}

    /**
     * Appends a frame; its descriptor is left to the caller.
     *
     * @param daemon whether it is the daemon that sends it
     */
    static void write(Frame frame, boolean daemon, ByteBuf out) {
        int start = out.writerIndex();
        if (frame instanceof Frame.Add add) {
            header(out, Opcode.ADD, flags(add), add.tag(), add.index());
            if (add.farewell().length > 0) {
                out.writeInt(add.farewell().length).writeBytes(add.farewell());
            }
            out.writeInt(add.number());
            out.writeInt(add.payload().length);
            out.writeBytes(add.payload());
        } else if (frame instanceof Frame.Get get) {
            header(out, Opcode.GET, 0, get.tag(), get.index());
        } else if (frame instanceof Frame.Update update) {
            boolean farewell = update.farewell() != null;
            header(out, Opcode.UPD, farewell ? FrameCodec.FAREWELL : 0, update.tag(), update.index());
            if (farewell) {
                out.writeInt(update.farewell().length).writeBytes(update.farewell());
            }
            out.writeInt(update.payload().length).writeBytes(update.payload());
        } else if (frame instanceof Frame.Delete delete) {
            header(out, Opcode.DEL, 0, delete.tag(), delete.index());
        } else if (frame instanceof Frame.Reply reply) {
            header(out, Opcode.REP, 0, 0, 0);
            out.writeInt(-reply.status().errno());
            out.writeCharSequence(reply.text(), UTF_8);
        } else if (frame instanceof Frame.Hello hello) {
            encodeHello(out, hello);
        } else if (frame instanceof Frame.Tag tag) {
            header(out, Opcode.TAG, 0, tag.tag(), 0);
        } else if (frame instanceof Frame.Info info) {
            header(out, Opcode.INF, 0, info.tag(), 0);
            out.writeInt(info.used()).writeInt(0).writeLong(info.end()).writeLong(info.payloadBytes());
        } else if (frame instanceof Frame.ListRequest list) {
            header(out, Opcode.LST, list.look() ? FrameCodec.LOOK : 0, list.tag(), list.from());
            out.writeInt(list.most());
        } else if (frame instanceof Frame.ListPage page) {
            encodePage(out, page);
        } else {
            throw new IllegalArgumentException("a frame that is never sent: " + frame);
        }
        out.setInt(start, out.writerIndex() - start - 4);
        if (daemon) {
            int flags = start + FrameCodec.FLAGS_OFFSET;
            out.setByte(flags, out.getByte(flags) | FrameCodec.REPLY);
        }
    }

    private static int flags(Frame.Add add) {
        int flags = add.farewell().length > 0 ? FrameCodec.FAREWELL : 0;
        if (add.descriptor() != null) {
            flags |= FrameCodec.DESCRIPTOR | (add.keepFlags() ? FrameCodec.KEEP_FLAGS : 0);
        }
        return flags;
    }

    private static void header(ByteBuf out, Opcode opcode, int flags, int tag, int index) {
        out.writeInt(0);
        out.writeByte(opcode.code);
        out.writeByte(flags);
        out.writeShort(tag);
        out.writeInt(index);
    }

    private static void encodeHello(ByteBuf out, Frame.Hello hello) {
        header(out, Opcode.HEL, 0, 0, 0);
        out.writeInt(FrameCodec.MAGIC).writeShort(hello.version());
        out.writeShort((hello.keepsFlags() ? FrameCodec.KEEPS_FLAGS : 0) | (hello.batches() ? FrameCodec.BATCHES : 0));
        Limits told = hello.limits();
        if (told == null) {
            if (hello.connectedAt() != 0) {
                out.writeLong(hello.connectedAt());
            }
        } else {
            out.writeInt(told.tags()).writeInt(told.payload()).writeInt(told.packetBytes());
            out.writeInt(told.packetDescriptors()).writeInt(told.packetFrames()).writeInt(told.packetsInFlight());
            out.writeInt(told.farewell());
        }
    }

    private static void encodePage(ByteBuf out, Frame.ListPage page) {
        header(out, Opcode.LST, 0, page.tag(), 0);
        out.writeInt(page.next()).writeInt(page.slots().size());
        for (SlotInfo slot : page.slots()) {
            out.writeInt(slot.index()).writeInt(slot.payloadSize());
            out.writeInt((slot.hasDescriptor() ? FrameCodec.HOLDS_DESCRIPTOR : 0)
                    | (slot.peerGone() ? FrameCodec.PEER_GONE : 0));
        }
    }
}
