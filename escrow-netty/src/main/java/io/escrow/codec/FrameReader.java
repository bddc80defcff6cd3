package io.escrow.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.netty.buffer.ByteBuf;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the bodies of frames (PROTOCOL.md, "Frames"), one after the other. One reader serves all frames of a codec, so that
 * a frame costs no reader.
 */
final class FrameReader {

    private static final int HELLO_LENGTH = 8;
    private static final int LIMITS_LENGTH = 24;
    private static final int CONNECTED_AT_LENGTH = 8;
    private static final int PAGE_HEADER_LENGTH = 8;

    private final boolean daemon;
    private Limits limits;

    // The frame that is being read.
    private ByteBuf in;
    private Opcode opcode;
    private int flags;
    private int tag;
    private int index;
    private int length;

    /**
     * Makes a reader.
     *
     * @param daemon whether the daemon receives the frames
     */
    FrameReader(boolean daemon, Limits limits) {
        this.daemon = daemon;
        this.limits = limits;
    }

    void limits(Limits limits) {
        this.limits = limits;
    }

    /** Sets what the header of the next frame contains. */
    FrameReader header(Opcode opcode, int flags, int tag, int index) {
        this.opcode = opcode;
        this.flags = flags;
        this.tag = tag;
        this.index = index;
        return this;
    }

    /**
     * Reads a body, of which all bytes are there, and skips what is left of it.
     *
     * @param bytes the bytes, from the body on
     * @param bodyLength the length of the body
     * @param descriptor the descriptor of the frame, or {@code null}; released unless it is in the frame that is returned
     * @throws ProtocolException if the stream itself can't be trusted any more
     */
    Frame body(ByteBuf bytes, int bodyLength, Object descriptor) {
        in = bytes;
        length = bodyLength;
        int end = bytes.readerIndex() + bodyLength;
        try {
            Frame frame = read(descriptor);
            bytes.readerIndex(end);
            return frame;
        } finally {
            in = null;
        }
    }

    private Frame read(Object descriptor) {
        String problem = checkFlags();
        if (problem != null) {
            ReferenceCountUtil.release(descriptor);
            if (opcode == Opcode.HEL) {
                throw untrusted(in, problem);
            }
            return new Frame.Invalid(Status.EINVAL, problem);
        } else if (opcode == Opcode.ADD) {
            return readAdd(descriptor);
        }
        return switch (opcode) {
            case HEL -> readHello();
            case GET -> {
                expectLength(0);
                yield new Frame.Get(tag, index);
            }
            case UPD -> readUpdate();
            case DEL -> {
                expectLength(0);
                yield new Frame.Delete(tag, index);
            }
            case TAG -> {
                expectLength(0);
                yield new Frame.Tag(tag);
            }
            case LST -> daemon ? readListRequest() : readPage();
            case INF -> readInfo();
            case REP -> readReply();
            case ADD -> throw new AssertionError(opcode);
        };
    }

    /** Returns what is wrong with the flags; {@code null} if nothing is. */
    private String checkFlags() {
        boolean descriptor = (flags & FrameCodec.DESCRIPTOR) != 0;
        if (descriptor && opcode != Opcode.ADD) {
            return "a descriptor came with " + opcode + " (expected: only with ADD)";
        }
        // A client is lenient: it got what it asked for.
        if (daemon && (flags & ~opcode.flags) != 0) {
            return String.format("flags of %s: %#04x (expected: none but %#04x)", opcode, flags, opcode.flags);
        }
        if (opcode == Opcode.ADD && !descriptor && (flags & (FrameCodec.STAND_IN | FrameCodec.KEEP_FLAGS)) != 0) {
            return String.format("flags of %s: %#04x (expected: with %#04x)", opcode, flags, FrameCodec.DESCRIPTOR);
        }
        return null;
    }

    private Frame readAdd(Object descriptor) {
        Frame.Invalid problem;
        try {
            SlotBody.check(in, Opcode.ADD, flags, length, limits);
            problem = checkDescriptor(descriptor);
            if (problem == null) {
                byte[] farewell = SlotBody.readFarewell(in, flags);
                int number = SlotBody.readNumber(in);
                byte[] payload = SlotBody.readPayload(in);
                boolean keepFlags = (flags & FrameCodec.KEEP_FLAGS) != 0;
                OwnedDescriptor owned = (OwnedDescriptor) descriptor;
                return new Frame.Add(
                        tag, index, number, payload, farewell == null ? Deposit.NO_BYTES : farewell, keepFlags, owned);
            }
        } catch (EscrowException e) {
            problem = new Frame.Invalid(e.status(), e.text());
        }
        ReferenceCountUtil.release(descriptor);
        return problem;
    }

    /** Returns what is wrong with the descriptor of an ADD; {@code null} if nothing is. */
    private Frame.Invalid checkDescriptor(Object descriptor) {
        if (descriptor == LostDescriptor.INSTANCE) {
            return new Frame.Invalid(
                    Status.EMFILE,
                    "the descriptor for " + slot()
                            + " was lost: too many open, several in a message, or of a kind that can't be received");
        }
        if ((flags & FrameCodec.STAND_IN) != 0) {
            return new Frame.Invalid(
                    Status.EBADF,
                    "the descriptor for " + slot() + " could not be sent: closed, or of a kind that can't be sent");
        }
        if ((flags & FrameCodec.DESCRIPTOR) != 0 && descriptor == null) {
            return new Frame.Invalid(Status.EINVAL, "the descriptor announced for " + slot() + " did not come");
        }
        return null;
    }

    private String slot() {
        return "slot " + tag + "/" + index;
    }

    private Frame readUpdate() {
        try {
            SlotBody.check(in, Opcode.UPD, flags, length, limits);
            byte[] farewell = SlotBody.readFarewell(in, flags);
            return new Frame.Update(tag, index, SlotBody.readPayload(in), farewell);
        } catch (EscrowException e) {
            return new Frame.Invalid(e.status(), e.text());
        }
    }

    private Frame readListRequest() {
        expectLength(4);
        return new Frame.ListRequest(tag, index, in.readInt(), (flags & FrameCodec.LOOK) != 0);
    }

    private Frame readInfo() {
        expectLength(24);
        int used = in.readInt();
        in.skipBytes(4);
        return new Frame.Info(tag, used, in.readLong(), in.readLong());
    }

    private Frame readReply() {
        expectLeast(4);
        int errno = -in.readInt();
        if (errno == 0 && length == 4) {
            return Frame.Reply.OK;
        }
        return new Frame.Reply(
                Status.ofWire(errno), in.readCharSequence(length - 4, UTF_8).toString());
    }

    private Frame readHello() {
        int expected = daemon ? HELLO_LENGTH : HELLO_LENGTH + LIMITS_LENGTH;
        expectLeast(expected);
        int magic = in.readInt();
        if (magic != FrameCodec.MAGIC) {
            throw untrusted(in, String.format("magic of HEL: %08x (expected: %08x)", magic, FrameCodec.MAGIC));
        }
        int version = in.readUnsignedShort();
        int features = in.readUnsignedShort();
        boolean keepsFlags = (features & FrameCodec.KEEPS_FLAGS) != 0;
        boolean batches = (features & FrameCodec.BATCHES) != 0;
        int more = length - expected;
        return daemon
                ? new Frame.Hello(version, keepsFlags, batches, more < CONNECTED_AT_LENGTH ? 0 : in.readLong(), null)
                : new Frame.Hello(version, keepsFlags, batches, 0, readLimits(more));
    }

    private Limits readLimits(int more) {
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

    private Frame readPage() {
        expectLeast(PAGE_HEADER_LENGTH);
        int next = in.readInt();
        int count = in.readInt();
        if (count < 0 || count > Frame.ListRequest.PAGE) {
            throw untrusted(in, "slots in LST: " + count + " (expected: 0.." + Frame.ListRequest.PAGE + ")");
        }
        expectLength(PAGE_HEADER_LENGTH + count * FrameCodec.SLOT_LENGTH);
        List<SlotInfo> slots = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int slot = in.readInt();
            int payloadSize = in.readInt();
            int slotFlags = in.readInt();
            slots.add(new SlotInfo(
                    tag,
                    slot,
                    payloadSize,
                    (slotFlags & FrameCodec.HOLDS_DESCRIPTOR) != 0,
                    (slotFlags & FrameCodec.PEER_GONE) != 0));
        }
        return new Frame.ListPage(tag, next, slots);
    }

    private void expectLength(int expected) {
        if (length != expected) {
            throw untrusted(in, "length of " + opcode + ": " + length + " (expected: " + expected + ")");
        }
    }

    private void expectLeast(int least) {
        if (length < least) {
            throw untrusted(in, "length of " + opcode + ": " + length + " (expected: >= " + least + ")");
        }
    }

    /** Drops the rest of the input, so that it is not decoded again. */
    static ProtocolException untrusted(ByteBuf in, String text) {
        in.readerIndex(in.writerIndex());
        return new ProtocolException(text);
    }
}
