package io.escrow.codec;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import io.netty.buffer.ByteBuf;

/**
 * The body of a frame that fills a slot (PROTOCOL.md, "ADD" and "UPD"). It is checked as a whole before anything is read, and then
 * its parts are read in the order of these methods. It is no object: escrowd would make one for each slot that is filled.
 */
final class SlotBody {

    private static final int FIELD = 4;

    private SlotBody() {}

    /**
     * Checks a body, and reads nothing.
     *
     * @param length the length of the body, all of which is there
     * @throws EscrowException if a field is wrong
     */
    static void check(ByteBuf in, Opcode opcode, int flags, int length, Limits limits) throws EscrowException {
        int fixed = opcode == Opcode.ADD ? 2 * FIELD : FIELD;
        int least = fixed + (hasFarewell(flags) ? FIELD : 0);
        if (length < least) {
            throw new EscrowException(
                    Status.EINVAL, "length of " + opcode + ": " + length + " (expected: >= " + least + ")");
        }
        int rest = length;
        if (hasFarewell(flags)) {
            int farewellLength = in.getInt(in.readerIndex());
            checkLength("farewell", farewellLength, limits.farewell());
            rest -= FIELD + farewellLength;
            if (rest < fixed) {
                throw new EscrowException(
                        Status.EINVAL,
                        "farewell length: " + farewellLength + " (expected: <= " + (length - least)
                                + ", as the frame has)");
            }
        }
        int payloadLength = in.getInt(in.readerIndex() + length - rest + fixed - FIELD);
        checkLength("payload", payloadLength, limits.payload());
        if (payloadLength != rest - fixed) {
            throw new EscrowException(
                    Status.EINVAL,
                    "payload length: " + payloadLength + " (expected: " + (rest - fixed) + ", as the frame has)");
        }
    }

    /** Reads the farewell; returns {@code null} when the frame has none. */
    static byte[] readFarewell(ByteBuf in, int flags) {
        return hasFarewell(flags) ? readBytes(in) : null;
    }

    /** Reads the number of the descriptor in its owner, which an UPD does not have. */
    static int readNumber(ByteBuf in) {
        return in.readInt();
    }

    /** Reads the payload, possibly empty. */
    static byte[] readPayload(ByteBuf in) {
        return readBytes(in);
    }

    private static boolean hasFarewell(int flags) {
        return (flags & FrameCodec.FAREWELL) != 0;
    }

    private static void checkLength(String what, int length, int limit) throws EscrowException {
        if (length < 0) {
            throw new EscrowException(Status.EINVAL, what + " length: " + length + " (expected: 0.." + limit + ")");
        }
        if (length > limit) {
            throw new EscrowException(Status.EMSGSIZE, what + " length: " + length + " (expected: <= " + limit + ")");
        }
    }

    private static byte[] readBytes(ByteBuf in) {
        int length = in.readInt();
        if (length == 0) {
            return Deposit.NO_BYTES;
        }
        byte[] bytes = new byte[length];
        in.readBytes(bytes);
        return bytes;
    }
}
