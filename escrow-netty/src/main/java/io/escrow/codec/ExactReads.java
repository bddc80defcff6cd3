package io.escrow.codec;

import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollMode;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.Socket;
import io.netty.util.UncheckedBooleanSupplier;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads exactly what the packet under way still needs: descriptors while descriptors are due, and otherwise not one
 * byte too many.
 *
 * <p>A plain read that reaches the byte of a descriptor loses the descriptor silently. After the peer has hung up,
 * Netty reads on, whatever auto-read, read mode or {@code continueReading()} say (see {@code
 * EpollRecvByteAllocatorHandle}). But before each read Netty asks for a buffer. At that moment this class takes the
 * descriptors that are due from the socket, and sets the size of the read.
 */
final class ExactReads implements RecvByteBufAllocator {

    private static final Logger logger = LoggerFactory.getLogger(ExactReads.class);

    /** Netty's error for a byte whose descriptors did not all find room; they are all closed. */
    private static final int EMSGSIZE = -90;
    /** Netty's error for a byte that came with two descriptors, which are both closed. */
    private static final int EINVAL = -22;
    /** F_SETFL fails: the descriptor was opened with O_PATH. */
    private static final int EBADF = -9;
    /** F_SETFL fails: the file is for appending only, see chattr(1). */
    private static final int EPERM = -1;
    /** The peer has gone without having read everything: the end of the stream. */
    private static final int ECONNRESET = -104;

    private static final int LARGEST_READ = 256 * 1024;
    private static final int PLAIN_READ = 2 * 1024;
    private static final int READS_PER_LOOP = 256;

    private final EpollDomainSocketChannel channel;
    private final Executor closer;
    /** What the reads are for; {@code null} while plain bytes are read. */
    private PacketDecoder packets;

    private DescriptorRing ring;

    private ExactReads(EpollDomainSocketChannel channel, PacketDecoder packets, Executor closer) {
        this.channel = channel;
        this.packets = packets;
        this.closer = closer;
    }

    /**
     * Makes a channel read as a decoder needs it. Call it before the channel reads anything. With Netty 4.1 the channel must
     * be level-triggered ({@link io.escrow.internal.EventLoops#levelTriggered}).
     *
     * @param channel the channel
     * @param packets the decoder that the reads are for; the first handler of the channel's pipeline. {@code null} to read
     *     plain bytes until {@link #beginPackets}
     * @param closer closes the descriptors that are received
     */
    @SuppressWarnings("deprecation") // Netty 4.2 has one mode of epoll only
    static ExactReads install(EpollDomainSocketChannel channel, PacketDecoder packets, Executor closer) {
        if (channel.config().getEpollMode() != EpollMode.LEVEL_TRIGGERED) {
            // What a turn leaves unread would never be read.
            throw new IllegalStateException("EPOLL_MODE: " + channel.config().getEpollMode() + " (expected: "
                    + EpollMode.LEVEL_TRIGGERED + ", set before the channel is registered)");
        }
        ExactReads reads = new ExactReads(channel, packets, closer);
        channel.config().setRecvByteBufAllocator(reads);
        return reads;
    }

    /** Reads packets from now on. The other side has sent nothing but plain bytes that are read already. */
    void beginPackets(PacketDecoder decoder) {
        packets = decoder;
    }

    /**
     * Returns the ring of the channel, which ends with it. Call it on the channel's event loop.
     *
     * @return the ring; {@code null} if none can be made
     */
    DescriptorRing ring() {
        if (ring == null) {
            try {
                ring = new DescriptorRing(closer);
            } catch (RuntimeException e) {
                logger.debug("no io_uring can be made", e);
                return null;
            }
            channel.closeFuture().addListener(closed -> ring.close());
        }
        return ring;
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
            if (packets == null) {
                return alloc.ioBuffer(PLAIN_READ, PLAIN_READ);
            }
            packets.aboutToRead();
            while (packets.batchMayCome() || packets.descriptorsDue() > 0) {
                if (!channel.isOpen()) {
                    throw NotYet.INSTANCE; // What has come has broken the protocol; the ring is closed.
                }
                if (!(packets.batchMayCome() ? receiveBatch() : receiveDescriptor())) {
                    // The end of the stream, in place of a descriptor: let the read find it.
                    return alloc.ioBuffer(1, 1);
                }
                if (packets.received() == 0) {
                    throw NotYet.INSTANCE; // A whole packet ends the turn, as continueReading does.
                }
            }
            int size = Math.min(packets.bytesDue(), LARGEST_READ);
            return alloc.ioBuffer(size, size);
        }

        /** Passes one descriptor on; returns {@code false} at the end of the stream. */
        private boolean receiveDescriptor() {
            Object received = packets.keepFlags() ? receiveAsIs() : receive();
            if (received == null) {
                return false;
            }
            anythingRead = true;
            channel.pipeline().fireChannelRead(received);
            return true;
        }

        /**
         * Passes the first bytes of a packet on, with the descriptors that have come with them; returns {@code false} at the
         * end of the stream.
         */
        private boolean receiveBatch() {
            int socket = channel.fd().intValue();
            int together = packets.bytesTogether();
            int apart = packets.bytesDue() - together;
            DescriptorMessage message =
                    apart == 0 ? ring.receiveBatch(socket, together) : ring.receiveBatches(socket, together, apart);
            DescriptorMessage second = apart > 0 && ring.second().result() > 0 ? ring.second() : null;
            int result = message.result();
            if (result > 0) {
                passOn(message);
            } else if (second == null) {
                checkEnd(result);
                return false;
            }
            if (second != null) {
                passOn(second);
            } else if (apart > 0) {
                throw NotYet.INSTANCE; // The rest has not come yet: a read would be in vain.
            }
            return true;
        }

        /** Returns if a result says that the stream is at its end. */
        private void checkEnd(int result) {
            if (result == DescriptorRing.EAGAIN) {
                throw NotYet.INSTANCE;
            }
            if (result != 0 && result != ECONNRESET) {
                throw new ProtocolException("a packet was due and did not come: error " + result);
            }
        }

        private void passOn(DescriptorMessage message) {
            if (!channel.isOpen()) {
                message.releaseDescriptors(); // What came before has broken the protocol.
                return;
            }
            anythingRead = true;
            ChannelPipeline pipeline = channel.pipeline();
            if (message.isTruncated()) {
                packets.truncated();
            }
            // Before the descriptors, which may break the protocol: then the ring gives up its memory.
            ByteBuf bytes = message.takeBytes();
            for (int i = 0, count = message.received(); i < count; i++) {
                pipeline.fireChannelRead(message.descriptor(i));
            }
            pipeline.fireChannelRead(bytes);
        }

        private Object receive() {
            try {
                int number = ((Socket) channel.fd()).recvFd();
                if (number == 0) {
                    if (!anythingRead) {
                        // Epoll said that something is there: a byte without a descriptor, which recvFd has swallowed.
                        throw new ProtocolException("a byte came where a descriptor was due");
                    }
                    throw NotYet.INSTANCE;
                }
                return number < 0 ? null : new OwnedDescriptor(number, closer);
            } catch (NativeIoException e) {
                int errno = e.expectedErr();
                if (errno == ECONNRESET) {
                    return null;
                }
                if (errno != EMSGSIZE && errno != EINVAL && errno != EBADF && errno != EPERM) {
                    throw new ProtocolException("a descriptor was due and did not come: error " + errno);
                }
                return LostDescriptor.INSTANCE;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** Receives a descriptor without changing its open file; if that is not possible, the descriptor is lost. */
        private Object receiveAsIs() {
            if (ring() == null) {
                logger.warn("no io_uring can be made to receive a descriptor with");
                return drop();
            }
            return ring.receive(channel.fd().intValue());
        }

        /** Reads the byte of a descriptor as a plain byte, which makes the kernel close the descriptor. */
        private Object drop() {
            try {
                int bytes = channel.fd().read(ByteBuffer.allocateDirect(1), 0, 1);
                if (bytes == 0) {
                    throw NotYet.INSTANCE;
                }
                return bytes < 0 ? null : LostDescriptor.INSTANCE;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public int guess() {
            return packets == null ? PLAIN_READ : packets.bytesDue();
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

        /** Ends the turn with a packet. Mostly nothing lies behind it, and a read that finds nothing costs a system call. */
        @Override
        public boolean continueReading() {
            return config.isAutoRead()
                    && reads < READS_PER_LOOP
                    && lastBytesRead == attemptedBytesRead
                    && (packets == null || packets.received() > 0);
        }

        @Override
        public boolean continueReading(UncheckedBooleanSupplier maybeMoreData) {
            return continueReading();
        }

        /**
         * Has Netty wait for epoll: 4.1 reads again at once when all that was attempted has come. A read with nothing there is
         * not told from a byte without a descriptor.
         */
        @Override
        public void readComplete() {
            lastBytesRead = 0;
            attemptedBytesRead = 1;
        }
    }
}
