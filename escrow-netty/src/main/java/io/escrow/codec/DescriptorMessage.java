package io.escrow.codec;

import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * The memory of one sendmsg(2) or recvmsg(2): bytes, and descriptors that travel with them. Its layout is that of a 64-bit
 * machine: struct msghdr, struct iovec, the control message. The bytes are in a buffer, which those who decode them get as it is.
 */
final class DescriptorMessage {

    /** The most descriptors that the kernel takes in one message (SCM_MAX_FD). */
    static final int MOST_DESCRIPTORS = 253;
    /** The most bytes. */
    static final int MOST_BYTES = PacketDecoder.HEAD_LENGTH;

    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_CTRUNC = 0x8;

    private static final int IOVEC_POINTER = 16;
    private static final int IOVEC_COUNT = 24;
    private static final int CONTROL_POINTER = 32;
    private static final int CONTROL_LENGTH = 40;
    private static final int FLAGS = 48;
    private static final int IOVEC = 56;
    private static final int CONTROL = 72;
    private static final int CONTROL_HEADER = 16;
    private static final int CONTROL_DATA = CONTROL + CONTROL_HEADER;
    private static final int SIZE = CONTROL_DATA + Integer.BYTES * (MOST_DESCRIPTORS + 1);

    private final ByteBuffer memory = ByteBuffer.allocateDirect(SIZE).order(ByteOrder.nativeOrder());
    private final long address = Buffer.memoryAddress(memory);
    private final Executor closer;
    private ByteBuf bytes = Unpooled.EMPTY_BUFFER;
    private int result;

    /**
     * Makes room for a message.
     *
     * @param closer closes the descriptors that are received
     */
    DescriptorMessage(Executor closer) {
        this.closer = closer;
        memory.putLong(IOVEC_POINTER, address + IOVEC).putLong(IOVEC_COUNT, 1);
        memory.putLong(CONTROL_POINTER, address + CONTROL);
        renewBytes();
    }

    private void renewBytes() {
        bytes.release();
        bytes = Unpooled.directBuffer(MOST_BYTES, MOST_BYTES);
        memory.putLong(IOVEC, Buffer.memoryAddress(bytes.internalNioBuffer(0, MOST_BYTES)));
    }

    /** Returns where the kernel finds the message. */
    long address() {
        return address;
    }

    /** Notes what the system call has returned. */
    void result(int value) {
        result = value;
    }

    /** Returns how many bytes were sent or received, or the negative number of an error. */
    int result() {
        return result;
    }

    /** Prepares for receiving. */
    void expect(int length, int descriptors) {
        describe(length, CONTROL_HEADER + Integer.BYTES * descriptors);
    }

    /** Returns how many descriptors were received, each of which is the caller's to take. */
    int received() {
        return memory.getLong(CONTROL_LENGTH) <= CONTROL_HEADER
                ? 0
                : ((int) memory.getLong(CONTROL) - CONTROL_HEADER) / Integer.BYTES;
    }

    /** Returns whether there were more that found no room in this process, or in the message. */
    boolean isTruncated() {
        return (memory.getInt(FLAGS) & MSG_CTRUNC) != 0;
    }

    /** Returns a descriptor that was received, which the caller releases. */
    OwnedDescriptor descriptor(int index) {
        return new OwnedDescriptor(memory.getInt(CONTROL_DATA + Integer.BYTES * index), closer);
    }

    /** Releases all descriptors that were received, in place of taking them. */
    void releaseDescriptors() {
        for (int i = 0, count = received(); result > 0 && i < count; i++) {
            descriptor(i).release();
        }
    }

    /** Returns the bytes that were received, which the caller releases. */
    ByteBuf takeBytes() {
        return bytes.setIndex(0, result).retain();
    }

    /** Prepares for sending. */
    void fill(ByteBuf from, List<DescriptorRegion> descriptors) {
        int controlLength = CONTROL_HEADER + Integer.BYTES * descriptors.size();
        describe(from.readableBytes(), controlLength);
        bytes.setBytes(0, from, from.readerIndex(), from.readableBytes());
        memory.putLong(CONTROL, controlLength).putInt(CONTROL + 8, SOL_SOCKET).putInt(CONTROL + 12, SCM_RIGHTS);
        int at = CONTROL_DATA;
        for (DescriptorRegion descriptor : descriptors) {
            memory.putInt(at, descriptor.number());
            at += Integer.BYTES;
        }
    }

    private void describe(int length, int controlLength) {
        if (bytes.refCnt() > 1) {
            renewBytes(); // What came before is not decoded yet.
        }
        memory.putLong(CONTROL_LENGTH, controlLength).putInt(FLAGS, 0).putLong(IOVEC + 8, length);
    }

    /** Gives up the memory. */
    void release() {
        bytes.release();
    }
}
