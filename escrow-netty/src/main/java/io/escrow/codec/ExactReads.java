package io.escrow.codec;

import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelConfig;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.Socket;
import io.netty.util.UncheckedBooleanSupplier;
import java.io.IOException;
import java.io.Serial;
import java.io.UncheckedIOException;

/**
 * Reads exactly what the packet under way still needs: descriptors when descriptors are due, else no byte too many.
 *
 * <p>A plain read that runs into the byte of a descriptor loses the descriptor silently, and after the peer has hung up
 * Netty reads on whatever auto-read, read mode or {@code continueReading()} say (see {@code
 * EpollRecvByteAllocatorHandle}). What Netty always does before it reads is to ask for a buffer. So that is where
 * descriptors are taken from the socket, and where the size of the next read is set.
 */
public final class ExactReads implements RecvByteBufAllocator {

    /** Ends a read loop in which a descriptor is due that has not come yet; level-triggered epoll comes back. */
    @SuppressWarnings("StaticAssignmentOfThrowable") // it has no stack
    static final RuntimeException NOT_YET = new NotYet();

    private static final int EMSGSIZE = -90;
    private static final int LARGEST_READ = 256 * 1024;
    private static final int READS_PER_LOOP = 256;

    private final EpollDomainSocketChannel channel;
    private final PacketDecoder packets;

    private ExactReads(EpollDomainSocketChannel channel, PacketDecoder packets) {
        this.channel = channel;
        this.packets = packets;
    }

    /**
     * Makes a channel read as a decoder needs it. To be called before the channel reads anything.
     *
     * @param channel the channel
     * @param packets the decoder that the reads are for; the first handler of the channel's pipeline
     */
    public static void install(EpollDomainSocketChannel channel, PacketDecoder packets) {
        channel.config().setRecvByteBufAllocator(new ExactReads(channel, packets));
    }

    @Override
    @SuppressWarnings("deprecation") // Netty's own return type
    public Handle newHandle() {
        return new ExactHandle();
    }

    private final class ExactHandle implements ExtendedHandle {
        private ChannelConfig config;
        private int reads;
        private int lastBytesRead;
        private int attemptedBytesRead;
        private boolean anythingRead;

        @Override
        public ByteBuf allocate(ByteBufAllocator alloc) {
            while (packets.descriptorsDue() > 0) {
                if (!receiveDescriptor()) {
                    // The end of the stream, in place of a descriptor: let the read find it.
                    return alloc.ioBuffer(1, 1);
                }
            }
            int size = Math.min(packets.bytesDue(), LARGEST_READ);
            return alloc.ioBuffer(size, size);
        }

        /** Passes one descriptor on; returns false at the end of the stream. */
        private boolean receiveDescriptor() {
            Object received;
            try {
                int number = ((Socket) channel.fd()).recvFd();
                if (number == 0) {
                    if (!anythingRead) {
                        // Epoll said that something is there: a byte without a descriptor, which recvFd has swallowed.
                        throw new ProtocolException("a byte came where a descriptor was due");
                    }
                    throw NOT_YET;
                }
                if (number < 0) {
                    return false;
                }
                received = new OwnedDescriptor(number);
            } catch (NativeIoException e) {
                if (e.expectedErr() != EMSGSIZE) {
                    throw new ProtocolException("a descriptor was due and did not come: " + e.getMessage());
                }
                received = LostDescriptor.INSTANCE;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            anythingRead = true;
            channel.pipeline().fireChannelRead(received);
            return true;
        }

        @Override
        public int guess() {
            return packets.bytesDue();
        }

        @Override
        public void reset(ChannelConfig config) {
            this.config = config;
            reads = 0;
            lastBytesRead = 0;
            anythingRead = false;
        }

        @Override
        public void incMessagesRead(int n) {
            reads += n;
            anythingRead = true;
        }

        @Override
        public void lastBytesRead(int bytes) {
            lastBytesRead = bytes;
        }

        @Override
        public int lastBytesRead() {
            return lastBytesRead;
        }

        @Override
        public void attemptedBytesRead(int bytes) {
            attemptedBytesRead = bytes;
        }

        @Override
        public int attemptedBytesRead() {
            return attemptedBytesRead;
        }

        @Override
        public boolean continueReading() {
            return config.isAutoRead() && reads < READS_PER_LOOP && lastBytesRead == attemptedBytesRead;
        }

        @Override
        public boolean continueReading(UncheckedBooleanSupplier maybeMoreData) {
            return continueReading();
        }

        @Override
        public void readComplete() {}
    }

    private static final class NotYet extends RuntimeException {
        @Serial
        private static final long serialVersionUID = 1;

        NotYet() {
            super("a descriptor is due", null, false, false);
        }
    }
}
