package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.Limits;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.RawPeer;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Counts the reads of a channel, each of which takes a buffer. */
class ExactReadsTest {

    private static final String REQUEST = "0000000c" + "00000000" + "00000008" + "0300000100000002";
    private static final String ANSWER = "00000010" + "00000000" + "0000000c" + "0580000000000000" + "00000000";

    private static final EventLoopGroup group = EventLoopGroups.epoll(1);

    @TempDir
    Path directory;

    private final AtomicInteger reads = new AtomicInteger();
    private RawPeer.Pair pair;

    @BeforeEach
    void open() throws IOException {
        pair = RawPeer.pair(directory);
    }

    @AfterEach
    void close() throws IOException {
        pair.channel().close().syncUninterruptibly();
        pair.peer().close();
    }

    @AfterAll
    static void stopLoops() {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void looksForNothingBehindPacket() throws Exception {
        CountDownLatch packets = receive(3, true);
        for (int i = 0; i < 3; i++) {
            pair.peer().send(REQUEST);
        }

        assertReads(2 * 3, packets);
    }

    @Test
    void readsShortestAnswerAtOnce() throws Exception {
        CountDownLatch packets = receive(3, false);
        for (int i = 0; i < 3; i++) {
            pair.peer().send(ANSWER);
        }

        assertReads(3, packets);
    }

    private void assertReads(int expected, CountDownLatch packets) throws InterruptedException {
        packets.await();
        // The turn of the loop in which the last packet came is over then.
        pair.channel().eventLoop().submit(() -> {}).sync();
        assertEquals(expected, reads.get());
    }

    private CountDownLatch receive(int packets, boolean descriptorsMayCome) throws InterruptedException {
        CountDownLatch received = new CountDownLatch(packets);
        EpollDomainSocketChannel channel = pair.channel();
        channel.config().setAllocator(new CountingAllocator(reads));
        Wire.install(channel, descriptorsMayCome, Limits.DEFAULT).descriptorsMayCome(descriptorsMayCome);
        channel.pipeline().addLast(new ChannelInboundHandlerAdapter() {
            @Override
            public void channelRead(ChannelHandlerContext ctx, Object msg) {
                if (msg == PacketEnd.INSTANCE) {
                    received.countDown();
                }
                ReferenceCountUtil.release(msg);
            }
        });
        group.register(channel).sync();
        return received;
    }

    private static final class CountingAllocator extends AbstractByteBufAllocator {
        private final AtomicInteger buffers;

        CountingAllocator(AtomicInteger buffers) {
            this.buffers = buffers;
        }

        @Override
        protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
            buffers.incrementAndGet();
            return UnpooledByteBufAllocator.DEFAULT.directBuffer(initialCapacity, maxCapacity);
        }

        @Override
        protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
            return UnpooledByteBufAllocator.DEFAULT.heapBuffer(initialCapacity, maxCapacity);
        }

        @Override
        public boolean isDirectBufferPooled() {
            return false;
        }
    }
}
