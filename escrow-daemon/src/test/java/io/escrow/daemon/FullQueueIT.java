package io.escrow.daemon;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** More clients than the listen backlog has room for wait, too. */
class FullQueueIT {

    private static final int TAG = 1;
    private static final int CLIENTS = 1_000;

    @TempDir
    Path directory;

    /** Connects until there is no room; the connections are the caller's to close. */
    private static List<RawClient> fill(Path socket) throws IOException {
        List<RawClient> queue = new ArrayList<>();
        while (true) {
            RawClient client = RawClient.connectIfRoom(socket);
            if (client == null) {
                return queue;
            }
            queue.add(client);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 20})
    void goesOnWhenThereIsRoom(int backlog) throws Exception {
        try (TestDaemon daemon = TestDaemon.start(directory, "--backlog=" + backlog)) {
            long descriptors = daemon.warmUp();
            RawClient first = daemon.open();
            List<RawClient> queue = fill(daemon.path());
            // The kernel takes one more than it was asked for.
            assertEquals(backlog + 1, queue.size());

            CountDownLatch waiting = new CountDownLatch(1);
            CompletableFuture<EscrowClient> client =
                    daemon.client().onWaiting(w -> waiting.countDown()).connect();
            assertTrue(waiting.await(TestProcess.PATIENCE_SECONDS, SECONDS));
            assertFalse(client.isDone());
            first.close();
            for (RawClient one : queue) {
                one.close();
            }
            try (BlockingEscrow escrow =
                    client.get(TestProcess.PATIENCE_SECONDS, SECONDS).toBlocking(TestDaemon.TIMEOUT)) {
                assertEquals(0, escrow.tag(TAG).used());
            }
            daemon.awaitDescriptors(descriptors);
        }
    }

    /** Each stores its own slot; none is turned away, whether the queue has room for all of them or for a few. */
    @ParameterizedTest
    @ValueSource(ints = {10, 4_096})
    void thousandAtOnce(int backlog) throws Exception {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        try (TestDaemon daemon = TestDaemon.start(directory, "--backlog=" + backlog)) {
            long descriptors = daemon.warmUp();
            CountDownLatch waiting = new CountDownLatch(CLIENTS);
            List<CompletableFuture<Void>> all = new ArrayList<>();
            try (BlockingEscrow holder = daemon.connect()) {
                for (int i = 0; i < CLIENTS; i++) {
                    int index = i;
                    all.add(daemon.client()
                            .group(group)
                            .onWaiting(w -> waiting.countDown())
                            .connect()
                            .thenCompose(client -> client.add(TAG, index, TestFiles.payload(index))
                                    .whenComplete((done, failure) -> client.close())));
                }
                assertTrue(waiting.await(TestProcess.PATIENCE_SECONDS, SECONDS));
                assertEquals(0, holder.tag(TAG).used());
            }
            for (CompletableFuture<Void> one : all) {
                one.get(TestProcess.PATIENCE_SECONDS, SECONDS);
            }
            Set<Integer> expected = IntStream.range(0, CLIENTS).boxed().collect(Collectors.toSet());
            assertEquals(expected, daemon.used(TAG));
            daemon.awaitDescriptors(descriptors);
        } finally {
            assertTrue(group.shutdownGracefully(0, 5, SECONDS).await(10, SECONDS));
        }
    }

    /** Those who gave up in front of a client are no hindrance to it. */
    @Test
    void manyDeadInFront() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            long descriptors = daemon.warmUp();
            List<RawClient> silent = new ArrayList<>();
            for (int i = 0; i < 500; i++) {
                silent.add(RawClient.connect(daemon.path()));
            }
            CompletableFuture<EscrowClient> client = daemon.client().connect();
            for (RawClient one : silent) {
                one.close();
            }
            client.get(TestProcess.PATIENCE_SECONDS, SECONDS)
                    .toBlocking(TestDaemon.TIMEOUT)
                    .close();
            daemon.awaitDescriptors(descriptors);
        }
    }
}
