package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.client.Waiting;
import io.escrow.testing.TestProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One session at a time; who comes meanwhile waits, knows for whom, and goes on by itself. */
class QueueIT {

    private static final int TAG = 1;

    @TempDir
    static Path directory;

    @AutoClose
    private static TestDaemon daemon;

    @AutoClose
    private static TestFiles files;

    private static long descriptors;

    @AutoClose("close")
    private TestProcess holder;

    @BeforeAll
    static void start() throws IOException {
        files = new TestFiles(directory.resolve("files"), 0);
        daemon = TestDaemon.start(directory);
        descriptors = daemon.warmUp();
    }

    @BeforeEach
    void hold() throws IOException {
        holder = TestClient.start("hold", daemon.path(), files, TAG, 0);
        holder.awaitLine("holding");
    }

    @AfterEach
    void empty() throws IOException {
        holder.kill();
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.delete(TAG, 0);
        }
        daemon.awaitDescriptors(descriptors);
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(TestProcess.PATIENCE_SECONDS, SECONDS);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void secondGoesOnWhenTheFirstEnds(boolean killed) throws Exception {
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        CompletableFuture<EscrowClient> second =
                daemon.client().onWaiting(told::complete).connect();
        Waiting waiting = get(told);
        assertEquals(holder.pid(), waiting.holder());
        assertEquals(
                "waiting for the session of process " + holder.pid() + " on \"" + daemon.path() + "\" to end",
                waiting.toString());
        assertFalse(second.isDone());

        if (killed) {
            holder.kill();
        } else {
            holder.say("end");
            assertEquals(0, endOf(holder));
        }
        try (BlockingEscrow escrow = get(second).toBlocking(TestDaemon.TIMEOUT);
                Entry entry = escrow.get(TAG, 0)) {
            assertArrayEquals(Long.toString(holder.pid()).getBytes(UTF_8), entry.payload());
        }
    }

    /** Ends the stdin of a client that has ended its session. */
    private static int endOf(TestProcess client) throws IOException {
        client.awaitLine("ended");
        client.close();
        return 0;
    }

    @Test
    void nobodyIsTold() throws Exception {
        holder.kill();
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        try (EscrowClient alone = get(daemon.client().onWaiting(told::complete).connect())) {
            get(alone.tag(TAG));
            assertFalse(told.isDone());
        }
    }

    @Test
    void twentyInTheQueue() throws Exception {
        int clients = 20;
        AtomicInteger sessions = new AtomicInteger();
        List<Integer> most = new ArrayList<>();
        CountDownLatch waiting = new CountDownLatch(clients);
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        try {
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int i = 1; i <= clients; i++) {
                int index = i;
                all.add(daemon.client()
                        .group(group)
                        .onWaiting(w -> waiting.countDown())
                        .connect()
                        .thenCompose(client -> {
                            most.add(sessions.incrementAndGet());
                            return client.add(TAG, index, TestFiles.payload(index))
                                    .whenComplete((done, failure) -> {
                                        sessions.decrementAndGet();
                                        client.close();
                                    });
                        }));
            }
            assertTrue(waiting.await(TestProcess.PATIENCE_SECONDS, SECONDS));
            holder.kill();
            for (CompletableFuture<Void> one : all) {
                get(one);
            }
            assertEquals(IntStream.range(0, clients).mapToObj(i -> 1).toList(), most);
        } finally {
            assertTrue(group.shutdownGracefully(0, 5, SECONDS).await(10, SECONDS));
        }
        try (BlockingEscrow escrow = daemon.connect()) {
            Set<Integer> expected = IntStream.rangeClosed(0, clients).boxed().collect(Collectors.toSet());
            assertEquals(expected, TestDaemon.used(escrow, TAG));
            for (int i = 1; i <= clients; i++) {
                escrow.delete(TAG, i);
            }
        }
    }

    /** Those who give up in the queue, by timeout, by choice or by death, are no hindrance to those behind them. */
    @Test
    void someGiveUp() throws Exception {
        CompletableFuture<EscrowClient> impatient =
                daemon.client().connectTimeout(Duration.ofMillis(300)).connect();
        CompletableFuture<EscrowClient> cancelled = daemon.client().connect();
        CompletableFuture<Void> stored;
        try (RawClient dead = RawClient.connect(daemon.path());
                TestProcess killed = TestClient.start("hold", daemon.path(), files, TAG, 5)) {
            dead.packet(RawClient.HELLO);
            killed.awaitLine("waiting for the session of process " + holder.pid());
            killed.kill();
            ExecutionException late = assertThrows(ExecutionException.class, () -> get(impatient));
            EscrowException cause = assertInstanceOf(EscrowException.class, late.getCause());
            assertEquals(Status.ETIMEDOUT, cause.status());
            assertTrue(cause.getMessage().contains("process " + holder.pid()), cause::getMessage);
            assertTrue(cancelled.cancel(false));
        }
        stored = daemon.client()
                .connect()
                .thenCompose(client ->
                        client.add(TAG, 1, TestFiles.payload(1)).whenComplete((done, failure) -> client.close()));
        assertFalse(stored.isDone());
        holder.kill();
        get(stored);
        assertEquals(Set.of(0, 1), daemon.used(TAG));
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.delete(TAG, 1);
        }
    }
}
