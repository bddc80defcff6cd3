package io.escrow.codec;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Status;
import io.escrow.testing.TestFile;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** Checks that frames come in the order of their index, each with the descriptor of its file, and closes those. */
final class AddCollector extends ChannelInboundHandlerAdapter {

    /** Looking a descriptor up is slow: of many, some are enough. */
    private static final int LOOKED_AT_ALWAYS = 1_000;

    private static final int LOOKED_AT_LATER = 61;

    private final Channel channel;
    private final List<TestFile> files;
    private final List<Throwable> failures = new CopyOnWriteArrayList<>();
    private final List<Integer> badDescriptors = new CopyOnWriteArrayList<>();
    private final AtomicInteger count = new AtomicInteger();

    AddCollector(Channel channel, List<TestFile> files) {
        this.channel = channel;
        this.files = files;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws IOException {
        if (msg instanceof Frame.Add add) {
            try {
                check(add);
            } finally {
                ReferenceCountUtil.release(add.descriptor());
            }
            count.incrementAndGet();
        } else if (msg instanceof Frame.Invalid invalid) {
            assertEquals(Status.EBADF, invalid.status());
            badDescriptors.add(count.get());
            count.incrementAndGet();
        }
    }

    private void check(Frame.Add add) throws IOException {
        int index = count.get();
        assertEquals(index, add.index());
        if (index < LOOKED_AT_ALWAYS || index % LOOKED_AT_LATER == 0) {
            TestFile expected = files.get(index % files.size());
            assertTrue(expected.is(add.descriptor()), "the descriptor of frame " + index + " is another's");
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        failures.add(cause);
        ctx.close();
    }

    int count() {
        return count.get();
    }

    /** Returns the places of the frames whose descriptors could not be sent. */
    List<Integer> badDescriptors() {
        return badDescriptors;
    }

    List<Throwable> failures() {
        return failures;
    }

    void awaitCount(int expected) {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .atMost(Duration.ofSeconds(60))
                .until(() -> count() >= expected || !failures.isEmpty());
        assertEquals(List.of(), failures);
        assertEquals(expected, count());
    }

    /** Waits for the end of the connection. */
    void assertClosedWith(int expectedFailures) throws InterruptedException {
        assertTrue(channel.closeFuture().await(10_000), "not closed");
        assertEquals(expectedFailures, failures.size(), failures::toString);
    }
}
