package io.escrow.codec;

import io.escrow.Deposit;
import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.netty.channel.unix.FileDescriptor;
import java.util.List;

/**
 * One request or one answer (PROTOCOL.md, "Frames"). Every frame starts with the same twelve bytes:
 *
 * <pre>
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------------------------------+
 *  |                length of what follows this field              |
 *  +---------------+---------------+-------------------------------+
 *  |    opcode     |     flags     |              tag              |
 *  +---------------+---------------+-------------------------------+
 *  |                             index                             |
 *  +---------------------------------------------------------------+
 * </pre>
 */
public sealed interface Frame {

    /** The version of the protocol that this library speaks. */
    int VERSION = 1;

    /**
     * Returns the tag that this frame is about.
     *
     * @return the tag; 0 for a frame that is about none
     */
    default int tag() {
        return 0;
    }

    /**
     * Returns the payload that this frame carries.
     *
     * @return the payload itself, not a copy; empty for a frame that has none
     */
    default byte[] payload() {
        return Deposit.NO_BYTES;
    }

    /**
     * Opens a session, and answers that it is open: {@code magic u32, version u16, features u16}, in the request
     * followed by {@code connectedAt i64} unless it is 0, in the answer by the limits, {@code tags u32, payload u32,
     * packetBytes u32, packetDescriptors u32, packetFrames u32, packetsInFlight u32, farewell u32}.
     *
     * @param version the version of the protocol
     * @param keepsFlags whether the sender receives descriptors without changing the flags of their open files
     * @param batches whether the sender sends and receives the descriptors of a packet in one message
     * @param connectedAt when the client connected, in milliseconds since 1970; 0 in an answer, and when the client
     *     does not say it
     * @param limits the limits of the daemon; {@code null} in a request
     */
    record Hello(int version, boolean keepsFlags, boolean batches, long connectedAt, Limits limits) implements Frame {

        /**
         * Makes a greeting that does not say when the client connected, of a side that does not use batches.
         *
         * @param version see the record
         * @param keepsFlags see the record
         * @param limits see the record
         */
        public Hello(int version, boolean keepsFlags, Limits limits) {
            this(version, keepsFlags, false, 0, limits);
        }

        /**
         * Makes the greeting of a side that can't keep flags.
         *
         * @param version see the record
         * @param limits see the record
         */
        public Hello(int version, Limits limits) {
            this(version, false, limits);
        }

        /**
         * Returns the greeting of a daemon in this process.
         *
         * @param limits the limits of the daemon
         * @param batches whether both sides use batches
         * @return the answer
         */
        public static Hello own(Limits limits, boolean batches) {
            return new Hello(VERSION, FileFlags.canBeKept(), batches, 0, limits);
        }

        /**
         * Returns the greeting of a client in this process.
         *
         * @param connectedAt when it connected, in milliseconds since 1970
         * @param batches whether it can use batches
         * @return the request
         */
        public static Hello ofClient(long connectedAt, boolean batches) {
            return new Hello(VERSION, FileFlags.canBeKept(), batches, connectedAt, null);
        }
    }

    /**
     * Returns the farewell that this frame carries.
     *
     * @return the farewell itself, not a copy; {@code null} or empty for a frame that has none
     */
    default byte[] farewell() {
        return Deposit.NO_BYTES;
    }

    /**
     * Fills a slot, or answers a {@link Get}: {@code number i32, payloadLength i32, payload}; when there is a farewell,
     * {@code farewellLength i32, farewell} come before them.
     *
     * @param tag the tag
     * @param index the index
     * @param number the number of the descriptor in its owner, or -1
     * @param payload the payload, possibly empty
     * @param farewell the bytes that the daemon writes to the descriptor when no client claims the slot; empty for none
     * @param keepFlags whether receiving the descriptor must not change the flags of its open file
     * @param descriptor the descriptor, or {@code null}; in a received frame it is an {@link
     *     io.escrow.OwnedDescriptor}, which the receiver of the frame releases; in a frame that is sent, one reference
     *     passes to the encoder
     */
    @SuppressWarnings("ArrayRecordComponent") // frames are not compared
    record Add(
            int tag,
            int index,
            int number,
            byte[] payload,
            byte[] farewell,
            boolean keepFlags,
            FileDescriptor descriptor)
            implements Frame {
        /**
         * Makes a frame without a farewell, whose descriptor may be received in any way.
         *
         * @param tag see the record
         * @param index see the record
         * @param number see the record
         * @param payload see the record
         * @param descriptor see the record
         */
        public Add(int tag, int index, int number, byte[] payload, FileDescriptor descriptor) {
            this(tag, index, number, payload, Deposit.NO_BYTES, false, descriptor);
        }
    }

    /**
     * Asks for what a slot holds. No body.
     *
     * @param tag the tag
     * @param index the index
     */
    record Get(int tag, int index) implements Frame {}

    /**
     * Replaces the payload of a filled slot, and leaves its descriptor: {@code payloadLength i32, payload}; when the
     * farewell is replaced too, {@code farewellLength i32, farewell} come before them.
     *
     * @param tag the tag
     * @param index the index
     * @param payload the new payload, possibly empty
     * @param farewell the new farewell, possibly empty; {@code null} to leave it
     */
    @SuppressWarnings("ArrayRecordComponent") // frames are not compared
    record Update(int tag, int index, byte[] payload, byte[] farewell) implements Frame {
        /**
         * Makes a frame that leaves the farewell.
         *
         * @param tag see the record
         * @param index see the record
         * @param payload see the record
         */
        public Update(int tag, int index, byte[] payload) {
            this(tag, index, payload, null);
        }
    }

    /**
     * Empties a slot. No body.
     *
     * @param tag the tag
     * @param index the index
     */
    record Delete(int tag, int index) implements Frame {}

    /**
     * Answers a request with its outcome: {@code status i32} (0 or a negative errno), then a sentence in UTF-8.
     *
     * @param status the outcome
     * @param text what was wrong; empty for {@link Status#OK}
     */
    record Reply(Status status, String text) implements Frame {

        /** Reports that a request was carried out. */
        public static final Reply OK = new Reply(Status.OK, "");

        /**
         * Checks the status.
         *
         * @param status one that may come over the wire, or an {@link IllegalArgumentException} is thrown
         * @param text see the record
         */
        public Reply {
            if (!status.isOnWire()) {
                throw new IllegalArgumentException(
                        "status of REP: " + status + " (expected: one that may come over the wire)");
            }
        }
    }

    /**
     * Asks about a tag. No body.
     *
     * @param tag the tag
     */
    record Tag(int tag) implements Frame {}

    /**
     * Answers a {@link Tag}: {@code used i32, reserved i32, end i64, payloadBytes i64}.
     *
     * @param tag the tag
     * @param used how many slots are used
     * @param end the highest used index plus one
     * @param payloadBytes the sum of the sizes of payloads and farewells
     */
    record Info(int tag, int used, long end, long payloadBytes) implements Frame {}

    /**
     * Asks for a page of the used slots of a tag, from an index on: {@code most i32}.
     *
     * @param tag the tag
     * @param from the lowest index to list
     * @param most how many slots the page may have, 1 to {@link #PAGE}
     * @param look whether to look which peers have gone; a flag of the frame
     */
    record ListRequest(int tag, int from, int most, boolean look) implements Frame {
        /** The most slots in one page. */
        public static final int PAGE = 1024;

        /**
         * Asks for a page without looking at peers.
         *
         * @param tag see the record
         * @param from see the record
         * @param most see the record
         */
        public ListRequest(int tag, int from, int most) {
            this(tag, from, most, false);
        }
    }

    /**
     * Answers a {@link ListRequest}: {@code next i32, count i32}, then for each slot {@code index i32, payloadLength
     * i32, flags u32}. Flag 1 means that the slot holds a descriptor, flag 2 that the peer of the descriptor has gone.
     *
     * @param tag the tag
     * @param next where the next page starts, or -1 when this was the last
     * @param slots the slots, by ascending index
     */
    record ListPage(int tag, int next, List<SlotInfo> slots) implements Frame {}

    /**
     * Stands for a frame whose fields are wrong although its length is right, so that the session can go on: the
     * receiver answers with this status. Never sent.
     *
     * @param status the outcome
     * @param text what was wrong, the value and the bound
     */
    record Invalid(Status status, String text) implements Frame {}
}
