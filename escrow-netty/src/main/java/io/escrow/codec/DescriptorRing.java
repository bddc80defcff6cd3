package io.escrow.codec;

import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEvent;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoRegistration;
import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringIoEvent;
import io.netty.channel.uring.IoUringIoHandle;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringIoHandlerConfig;
import io.netty.channel.uring.IoUringIoOps;
import io.netty.util.concurrent.ThreadAwareExecutor;
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

    static final int EAGAIN = -11;

    private static final byte OP_SENDMSG = 9;
    private static final byte OP_RECVMSG = 10;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final int ENTRIES = 4;

    private final DescriptorMessage first;
    private final DescriptorMessage second;
    private final IoHandler handler;
    private final IoRegistration registration;
    private int pending;

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
        // First, because this fails if no more files can be opened: then there are no messages to release.
        handler = IoUringIoHandler.newFactory(new IoUringIoHandlerConfig().setRingSize(ENTRIES))
                .newHandler(new OwnThread(Thread.currentThread()));
        first = new DescriptorMessage(closer);
        second = new DescriptorMessage(closer);
        try {
            handler.initialize();
            registration = handler.register(new Receiver());
        } catch (Exception e) {
            handler.destroy();
            first.release();
            second.release();
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
        receive(socket, first, 1, 1);
        run();
        int result = first.result();
        if (result == EAGAIN) {
            throw NotYet.INSTANCE;
        }
        if (result == 0) {
            return null;
        }
        if (result < 0) {
            throw new ProtocolException("a descriptor was due and did not come: error " + result);
        }
        if (first.received() == 0) {
            if (first.isTruncated()) {
                return LostDescriptor.INSTANCE;
            }
            throw new ProtocolException("a byte came where a descriptor was due");
        }
        OwnedDescriptor descriptor = first.descriptor(0);
        if (first.isTruncated()) {
            descriptor.release();
            return LostDescriptor.INSTANCE;
        }
        return descriptor;
    }

    /**
     * Receives one message, or a part of one, without waiting. Its descriptors are the caller's to take, each of them.
     *
     * @param socket the number of the socket
     * @param length the most bytes to receive, 1 to {@value DescriptorMessage#MOST_BYTES}
     * @return what has come, until the next call; its result is 0 at the end of the stream
     */
    DescriptorMessage receiveBatch(int socket, int length) {
        receive(socket, first, length, DescriptorMessage.MOST_DESCRIPTORS);
        run();
        return first;
    }

    /**
     * Receives two messages, one after the other, by one system call. Used like {@link #receiveBatch}.
     *
     * @param socket the number of the socket
     * @param length the most bytes to receive as the first message, which this method returns
     * @param more the most bytes to receive as the second one, which {@link #second} returns
     */
    DescriptorMessage receiveBatches(int socket, int length, int more) {
        receive(socket, first, length, DescriptorMessage.MOST_DESCRIPTORS);
        receive(socket, second, more, DescriptorMessage.MOST_DESCRIPTORS);
        run();
        return first;
    }

    /** Returns the second of the messages that were received last. */
    DescriptorMessage second() {
        return second;
    }

    private void receive(int socket, DescriptorMessage message, int length, int descriptors) {
        message.expect(length, descriptors);
        submit(OP_RECVMSG, socket, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, message);
    }

    /**
     * Sends bytes, the first of which takes descriptors with it, without waiting.
     *
     * @param socket the number of the socket
     * @param bytes up to {@value DescriptorMessage#MOST_BYTES} readable bytes, left as they are
     * @param descriptors 1 to {@value DescriptorMessage#MOST_DESCRIPTORS}
     * @return how many bytes were sent, and with them all descriptors; or the negative number of an error, and then nothing
     *     was sent
     */
    int sendBatch(int socket, ByteBuf bytes, List<DescriptorRegion> descriptors) {
        first.fill(bytes, descriptors);
        submit(OP_SENDMSG, socket, MSG_DONTWAIT | MSG_NOSIGNAL, first);
        run();
        return first.result();
    }

    /** The kernel carries out one after the other: none waits, and none is left to another thread. */
    private void submit(byte operation, int socket, int flags, DescriptorMessage message) {
        long which = message == first ? 0 : 1;
        registration.submit(new IoUringIoOps(
                operation,
                (byte) 0,
                (short) 0,
                socket,
                0,
                message.address(),
                1,
                flags,
                which,
                (short) 0,
                (short) 0,
                0,
                0));
        pending++;
    }

    private void run() {
        while (pending > 0) {
            handler.run(Now.INSTANCE);
        }
    }

    @Override
    public void close() {
        handler.prepareToDestroy();
        handler.destroy();
        first.release();
        second.release();
    }

    private final class Receiver implements IoUringIoHandle {
        @Override
        public void handle(IoRegistration ignored, IoEvent event) {
            IoUringIoEvent done = (IoUringIoEvent) event;
            (done.userData() == 0 ? first : second).result(done.res());
            pending--;
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
