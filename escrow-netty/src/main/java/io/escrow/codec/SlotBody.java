package io.escrow.codec;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import io.netty.buffer.ByteBuf;

/**
 * The body of a frame that fills a slot (PROTOCOL.md, "ADD" and "UPD").
 *
 * @param farewell the farewell; {@code null} when the frame has none
 * @param number the number of the descriptor in its owner; -1 in an UPD, which has none
 * @param payload the payload, possibly empty
 */
@SuppressWarnings("ArrayRecordComponent") // bodies are not compared
record SlotBody(byte[] farewell, int number, byte[] payload) {

    private static final int FIELD = 4;

    /**
     * Reads a body.
     *
     * @param length the length of the body, all of which is there
     * @throws EscrowException if a field is wrong; how much was read is undefined then
     */
    static SlotBody read(ByteBuf in, Opcode opcode, int flags, int length, Limits limits) throws EscrowException {
        int fixed = opcode == Opcode.ADD ? 2 * FIELD : FIELD;
        boolean hasFarewell = (flags & FrameCodec.FAREWELL) != 0;
        int least = fixed + (hasFarewell ? FIELD : 0);
        if (length < least) {
            throw new EscrowException(
                    Status.EINVAL, "length of " + opcode + ": " + length + " (expected: >= " + least + ")");
        }
        int rest = length;
        byte[] farewell = null;
        if (hasFarewell) {
            int farewellLength = in.readInt();
            checkLength("farewell", farewellLength, limits.farewell());
            rest -= FIELD + farewellLength;
            if (rest < fixed) {
                throw new EscrowException(
                        Status.EINVAL,
                        "farewell length: " + farewellLength + " (expected: <= " + (length - least)
                                + ", as the frame has)");
            }
            farewell = readBytes(in, farewellLength);
        }
        int number = opcode == Opcode.ADD ? in.readInt() : -1;
        int payloadLength = in.readInt();
        checkLength("payload", payloadLength, limits.payload());
        if (payloadLength != rest - fixed) {
            throw new EscrowException(
                    Status.EINVAL,
                    "payload length: " + payloadLength + " (expected: " + (rest - fixed) + ", as the frame has)");
        }
        return new SlotBody(farewell, number, readBytes(in, payloadLength));
    }

    private static void checkLength(String what, int length, int limit) throws EscrowException {
        if (length < 0) {
            throw new EscrowException(Status.EINVAL, what + " length: " + length + " (expected: 0.." + limit + ")");
        }
        if (length > limit) {
            throw new EscrowException(Status.EMSGSIZE, what + " length: " + length + " (expected: <= " + limit + ")");
        }
    }

    private static byte[] readBytes(ByteBuf in, int length) {
        byte[] bytes = new byte[length];
        in.readBytes(bytes);
        return bytes;
    }
}
