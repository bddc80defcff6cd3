package io.escrow.codec;

import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEvent;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoRegistration;
import io.netty.channel.unix.Buffer;
import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringIoEvent;
import io.netty.channel.uring.IoUringIoHandle;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringIoHandlerConfig;
import io.netty.channel.uring.IoUringIoOps;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * Sends and receives descriptors by sendmsg(2) and recvmsg(2) through Netty's io_uring: many in a message, together with
 * bytes, and received without changing their open files. Java has no other way to such a call. The descriptors that are
 * received are close-on-exec.
 *
 * <p>This class needs Netty 4.2 and {@code netty-transport-native-io_uring}; only {@link FileFlags}, {@link ExactReads} and
 * {@link DescriptorBatch} use it, and the rest of the library does without.
 *
 * <p>There is no event loop: each call carries out one operation at once, on the thread that made the ring.
 */
final class DescriptorRing implements AutoCloseable {

    /** The most descriptors that the kernel takes in one message (SCM_MAX_FD). */
    static final int MOST_DESCRIPTORS = 253;

    static final int EAGAIN = -11;

    private static final byte OP_SENDMSG = 9;
    private static final byte OP_RECVMSG = 10;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_CTRUNC = 0x8;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final int ENTRIES = 4;

    // struct msghdr, then struct iovec, up to eight bytes, and the control message, on a 64-bit machine.
    private static final int IOVEC_POINTER = 16;
    private static final int IOVEC_COUNT = 24;
    private static final int CONTROL_POINTER = 32;
    private static final int CONTROL_LENGTH = 40;
    private static final int FLAGS = 48;
    private static final int IOVEC = 56;
    private static final int BYTES = 72;
    private static final int CONTROL = 80;
    private static final int CONTROL_HEADER = 16;
    private static final int CONTROL_DATA = CONTROL + CONTROL_HEADER;
    private static final int SIZE = CONTROL_DATA + Integer.BYTES * (MOST_DESCRIPTORS + 1);

    private final ByteBuffer message = ByteBuffer.allocateDirect(SIZE).order(ByteOrder.nativeOrder());
    private final long address = Buffer.memoryAddress(message);
    private final Executor closer;
    private final IoHandler handler;
    private final IoRegistration registration;
    private boolean done;
    private int result;

    /** Returns whether this process can make rings. The first call loads a native library. */
    static boolean isAvailable() {
        return IoUring.isAvailable();
    }

    /**
     * Makes a ring.
     *
     * @param closer closes the descriptors that are received
     * @throws IllegalStateException if that fails
     */
    DescriptorRing(Executor closer) {
        this.closer = closer;
        handler = IoUringIoHandler.newFactory(new IoUringIoHandlerConfig().setRingSize(ENTRIES))
                .newHandler(new OwnThread(Thread.currentThread()));
        try {
            handler.initialize();
            registration = handler.register(new Receiver());
        } catch (Exception e) {
            handler.destroy();
            throw new IllegalStateException(e);
        }
    }

    /**
     * Receives one descriptor with one byte.
     *
     * @param socket the number of the socket
     * @return an {@link OwnedDescriptor}, or a {@link LostDescriptor} if the byte came and the descriptor did not;
     *     {@code null} at the end of the stream
     * @throws RuntimeException {@link NotYet} if nothing has come yet
     */
    Object receive(int socket) {
        // With room for two, two might be received.
        int result = receive(socket, 1, 1);
        if (result == EAGAIN) {
            throw NotYet.INSTANCE;
        }
        if (result == 0) {
            return null;
        }
        if (result < 0) {
            throw new ProtocolException("a descriptor was due and did not come: error " + result);
        }
        if (received() == 0) {
            if (isTruncated()) {
                return LostDescriptor.INSTANCE;
            }
            throw new ProtocolException("a byte came where a descriptor was due");
        }
        OwnedDescriptor descriptor = descriptor(0);
        if (isTruncated()) {
            descriptor.release();
            return LostDescriptor.INSTANCE;
        }
        return descriptor;
    }

    /**
     * Receives one message, or a part of one, without waiting. Its descriptors are the caller's to take by {@link
     * #descriptor}, each of them.
     *
     * @param socket the number of the socket
     * @param length the most bytes to receive, 1 to 8; they are {@link #takeBytes} afterwards
     * @return how many bytes have come; 0 at the end of the stream; or the negative number of an error
     */
    int receiveBatch(int socket, int length) {
        return receive(socket, length, MOST_DESCRIPTORS);
    }

    private int receive(int socket, int length, int descriptors) {
        describe(length, CONTROL_HEADER + Integer.BYTES * descriptors);
        return call(OP_RECVMSG, socket, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    }

    /** Returns how many descriptors came with the last message. */
    int received() {
        return message.getLong(CONTROL_LENGTH) <= CONTROL_HEADER
                ? 0
                : ((int) message.getLong(CONTROL) - CONTROL_HEADER) / Integer.BYTES;
    }

    /** Returns whether there were more that found no room in this process, or in the message. */
    boolean isTruncated() {
        return (message.getInt(FLAGS) & MSG_CTRUNC) != 0;
    }

    /** Returns a descriptor of the last message, which the caller releases. */
    OwnedDescriptor descriptor(int index) {
        return new OwnedDescriptor(message.getInt(CONTROL_DATA + Integer.BYTES * index), closer);
    }

    /** Copies the bytes of the last message. */
    void takeBytes(ByteBuf to, int length) {
        for (int i = 0; i < length; i++) {
            to.writeByte(message.get(BYTES + i));
        }
    }

    /**
     * Sends bytes, the first of which takes descriptors with it, without waiting.
     *
     * @param socket the number of the socket
     * @param bytes up to 8 readable bytes, left as they are
     * @param descriptors 1 to {@value #MOST_DESCRIPTORS}
     * @return how many bytes were sent, and with them all descriptors; or the negative number of an error, and then nothing
     *     was sent
     */
    int sendBatch(int socket, ByteBuf bytes, List<DescriptorRegion> descriptors) {
        int controlLength = CONTROL_HEADER + Integer.BYTES * descriptors.size();
        describe(bytes.readableBytes(), controlLength);
        for (int i = 0; i < bytes.readableBytes(); i++) {
            message.put(BYTES + i, bytes.getByte(bytes.readerIndex() + i));
        }
        message.putLong(CONTROL, controlLength).putInt(CONTROL + 8, SOL_SOCKET).putInt(CONTROL + 12, SCM_RIGHTS);
        int at = CONTROL_DATA;
        for (DescriptorRegion descriptor : descriptors) {
            message.putInt(at, descriptor.number());
            at += Integer.BYTES;
        }
        return call(OP_SENDMSG, socket, MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    private void describe(int length, int controlLength) {
        message.putLong(IOVEC_POINTER, address + IOVEC).putLong(IOVEC_COUNT, 1);
        message.putLong(CONTROL_POINTER, address + CONTROL).putLong(CONTROL_LENGTH, controlLength);
        message.putInt(FLAGS, 0);
        message.putLong(IOVEC, address + BYTES).putLong(IOVEC + 8, length);
    }

    private int call(byte operation, int socket, int flags) {
        done = false;
        registration.submit(new IoUringIoOps(
                operation, (byte) 0, (short) 0, socket, 0, address, 1, flags, 0L, (short) 0, (short) 0, 0, 0));
        while (!done) {
            handler.run(Now.INSTANCE);
        }
        return result;
    }

    @Override
    public void close() {
        handler.prepareToDestroy();
        handler.destroy();
    }

    private final class Receiver implements IoUringIoHandle {
        @Override
        public void handle(IoRegistration ignored, IoEvent event) {
            result = ((IoUringIoEvent) event).res();
            done = true;
        }

        @Override
        public void close() {}
    }

    private record OwnThread(Thread thread) implements ThreadAwareExecutor {
        @Override
        public boolean isExecutorThread(Thread other) {
            return other == thread;
        }

        @Override
        public void execute(Runnable task) {
            task.run();
        }
    }

    /** Makes the handler submit what is there without waiting. */
    private enum Now implements IoHandlerContext {
        INSTANCE;

        @Override
        public boolean canBlock() {
            return false;
        }

        @Override
        public long delayNanos(long currentTimeNanos) {
            return 0;
        }

        @Override
        public long deadlineNanos() {
            return -1;
        }
    }
}
