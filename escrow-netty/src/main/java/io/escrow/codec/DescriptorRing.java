package io.escrow.codec;

import io.escrow.OwnedDescriptor;
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
import java.util.concurrent.Executor;

/**
 * Receives descriptors without changing their open files: by recvmsg(2) through Netty's io_uring. Java has no other way
 * to a system call after which Netty does not call F_SETFL. The descriptors are close-on-exec.
 *
 * <p>This class needs Netty 4.2 and {@code netty-transport-native-io_uring}; only {@link FileFlags} and {@link ExactReads}
 * refer to it, and the rest of the library does without.
 *
 * <p>There is no event loop: each call carries out one operation at once, on the thread that made the ring.
 */
final class DescriptorRing implements AutoCloseable {

    private static final byte OP_RECVMSG = 10;
    private static final int MSG_CTRUNC = 0x8;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final int EAGAIN = -11;
    private static final int ENTRIES = 4;

    // struct msghdr, then struct iovec, the byte, and the control message of one descriptor, on a 64-bit machine.
    private static final int IOVEC_POINTER = 16;
    private static final int IOVEC_COUNT = 24;
    private static final int CONTROL_POINTER = 32;
    private static final int CONTROL_LENGTH = 40;
    private static final int FLAGS = 48;
    private static final int IOVEC = 56;
    private static final int BYTE = 72;
    private static final int CONTROL = 80;
    private static final int CONTROL_DATA = CONTROL + 16;
    private static final int SIZE = CONTROL + 24;
    /** The size of one descriptor: with room for two, two might be received. */
    private static final int ONE_DESCRIPTOR = 20;

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
     * Receives one descriptor.
     *
     * @param socket the number of the socket
     * @return an {@link OwnedDescriptor}, or a {@link LostDescriptor} if the byte came and the descriptor did not;
     *     {@code null} at the end of the stream
     * @throws RuntimeException {@link NotYet} if nothing has come yet
     */
    Object receive(int socket) {
        message.putLong(IOVEC_POINTER, address + IOVEC).putLong(IOVEC_COUNT, 1);
        message.putLong(CONTROL_POINTER, address + CONTROL).putLong(CONTROL_LENGTH, ONE_DESCRIPTOR);
        message.putInt(FLAGS, 0);
        message.putLong(IOVEC, address + BYTE).putLong(IOVEC + 8, 1);
        done = false;
        registration.submit(new IoUringIoOps(
                OP_RECVMSG,
                (byte) 0,
                (short) 0,
                socket,
                0,
                address,
                1,
                MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
                0L,
                (short) 0,
                (short) 0,
                0,
                0));
        while (!done) {
            handler.run(Now.INSTANCE);
        }
        return received();
    }

    private Object received() {
        if (result == EAGAIN) {
            throw NotYet.INSTANCE;
        }
        if (result == 0) {
            return null;
        }
        if (result < 0) {
            throw new ProtocolException("a descriptor was due and did not come: error " + result);
        }
        boolean truncated = (message.getInt(FLAGS) & MSG_CTRUNC) != 0;
        if (message.getLong(CONTROL_LENGTH) < ONE_DESCRIPTOR) {
            if (truncated) {
                return LostDescriptor.INSTANCE;
            }
            throw new ProtocolException("a byte came where a descriptor was due");
        }
        OwnedDescriptor descriptor = new OwnedDescriptor(message.getInt(CONTROL_DATA), closer);
        if (truncated) {
            descriptor.release();
            return LostDescriptor.INSTANCE;
        }
        return descriptor;
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
