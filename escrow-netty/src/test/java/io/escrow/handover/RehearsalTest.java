package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.EscrowClient;
import io.escrow.handover.tls.MovableTls;
import io.escrow.testing.LogLines;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.DelegatingSslContext;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.net.ssl.SSLEngine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A rehearsal does what a handover does, and nobody sees it. */
class RehearsalTest {

    private static final int FEW = Rehearsal.ACTS * RehearsalStage.WAVE;
    private static final long NEVER = Long.MAX_VALUE / 2;

    static {
        // That of this process would use sockets while they are counted.
        RehearsalTime.PROCESS.end();
    }

    /** Counts sockets, and what event loops and io_uring have. */
    private static long descriptors() {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.filter(descriptor -> {
                        try {
                            String what = Files.readSymbolicLink(descriptor).toString();
                            return what.startsWith("socket:") || what.startsWith("anon_inode:");
                        } catch (IOException e) {
                            return false;
                        }
                    })
                    .count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the threads of rehearsals, with what they do. */
    private static Map<Thread, StackTraceElement[]> threads() {
        Map<Thread, StackTraceElement[]> all = new HashMap<>(Thread.getAllStackTraces());
        all.keySet().removeIf(thread -> !thread.getName().startsWith("escrow-rehearsal"));
        return all;
    }

    @Test
    void nothingIsLeftWhenItIsEndedAtOnce() throws Exception {
        Rehearsal.hold(new RehearsalTime(0), FEW, new RehearsalKind(false, true));
        long before = descriptors();
        RehearsalTime time = new RehearsalTime(0);
        CompletableFuture<Rehearsal.Moved> moved = CompletableFuture.supplyAsync(
                () -> Rehearsal.hold(time, Integer.MAX_VALUE, new RehearsalKind(false, true)));
        await().until(() -> threads().keySet().stream().anyMatch(RehearsalTest::isEventLoop));
        time.end();

        moved.get();
        await().until(() -> threads().isEmpty() && descriptors() <= before);
    }

    @ParameterizedTest
    @CsvSource({"false, false", "false, true", "true, false", "true, true"})
    void connectionsMoveAndNothingIsLeft(boolean tls, boolean tcp) {
        RehearsalKind kind = new RehearsalKind(tls, tcp);
        // Once in a process, the JDK keeps a socket of its own.
        Rehearsal.hold(new RehearsalTime(0), FEW, kind);
        long before = descriptors();
        try (LogLines log = new LogLines(ServerHandover.class)) {
            int encrypted = tls ? FEW - Rehearsal.ACTS * RehearsalStage.PLAIN : 0;
            assertEquals(new Rehearsal.Moved(FEW, encrypted), Rehearsal.hold(new RehearsalTime(0), FEW, kind));

            assertEquals(0, log.count("INFO", ""));
            assertEquals(0, log.count("WARN", ""));
        }
        await().untilAsserted(() -> {
            Map<Thread, StackTraceElement[]> left = threads();
            assertTrue(
                    left.isEmpty(),
                    () -> left.entrySet().stream()
                            .map(e -> e.getKey() + " " + Arrays.toString(e.getValue()))
                            .toList()
                            .toString());
        });
        await().until(() -> descriptors() <= before);
    }

    @Test
    void itsEventLoopSleepsWhileItWaits() throws Exception {
        RehearsalTime time = new RehearsalTime(0);
        CompletableFuture<Rehearsal.Moved> moved = CompletableFuture.supplyAsync(
                () -> Rehearsal.hold(time, Integer.MAX_VALUE, new RehearsalKind(false, true)));
        await().until(() -> threads().keySet().stream().anyMatch(RehearsalTest::isEventLoop));
        time.turnCame();
        Thread loop = threads().keySet().stream()
                .filter(RehearsalTest::isEventLoop)
                .findAny()
                .orElseThrow();
        // Behind the wave that is just moving, it uses no time at all from one look to the next.
        long[] used = new long[1];
        await().pollInterval(Duration.ofMillis(100)).until(() -> {
            long before = used[0];
            used[0] = ManagementFactory.getThreadMXBean().getThreadCpuTime(loop.getId());
            return used[0] == before;
        });

        time.end();
        moved.get();
    }

    private static boolean isEventLoop(Thread thread) {
        return thread.getName().matches("escrow-rehearsal-.*");
    }

    @Test
    void waitsForAStartToEnd() throws Exception {
        RehearsalTime time = new RehearsalTime(0);
        time.turnCame();
        CompletableFuture<Boolean> mayBegin = CompletableFuture.supplyAsync(() -> mayBegin(time));
        time.turnCame();
        time.started();
        assertFalse(mayBegin.isDone());
        time.started();

        assertTrue(mayBegin.get());
    }

    @Test
    void endsBeforeAServerHasServedForAWhile() throws Exception {
        RehearsalTime time = new RehearsalTime(NEVER);
        time.turnCame();
        time.started();
        CompletableFuture<Rehearsal.Moved> moved =
                CompletableFuture.supplyAsync(() -> Rehearsal.hold(time, FEW, new RehearsalKind(false, true)));
        assertFalse(moved.isDone());
        time.end();

        assertEquals(new Rehearsal.Moved(0, 0), moved.get());
    }

    @Test
    void beginsOnce() {
        RehearsalTime time = new RehearsalTime(0);

        assertTrue(time.begin(false));
        assertFalse(time.begin(false));
    }

    @Test
    void beginsOnceMoreForTheFirstServerWithTls() {
        RehearsalTime time = new RehearsalTime(0);

        assertTrue(time.begin(false));
        assertTrue(time.begin(true));
        assertFalse(time.begin(true));
        assertFalse(time.begin(false));
    }

    @Test
    void hasNoTlsUnlessTheServerHas() {
        ListenerDescriptions none = new ListenerDescriptions().frozen();
        ServerHandoverBuilder builder =
                ServerHandover.with(EscrowClient.builder().path("/does/not/exist"));

        assertFalse(builder.configuration(none).movesTls());
        assertTrue(builder.tls(MovableTls.of()).configuration(none).movesTls());
    }

    @Test
    void asksNoContextOfTheServer() throws Exception {
        AtomicInteger engines = new AtomicInteger();
        SslContext context =
                new DelegatingSslContext(SslContextBuilder.forClient()
                        .sslProvider(SslProvider.JDK)
                        .build()) {
                    @Override
                    protected void initEngine(SSLEngine engine) {
                        engines.incrementAndGet();
                    }
                };
        context.newEngine(ByteBufAllocator.DEFAULT);
        assertEquals(1, engines.get());
        HandoverConfiguration configuration = ServerHandover.with(
                        EscrowClient.builder().path("/does/not/exist"))
                .tls(MovableTls.of(context))
                .configuration(new ListenerDescriptions().frozen());

        Rehearsal.Moved moved = Rehearsal.hold(new RehearsalTime(0), FEW, RehearsalKind.of(configuration));

        assertTrue(moved.encrypted() > 0);
        assertEquals(1, engines.get());
    }

    @Test
    void doesNotBeginAfterAHandover() {
        RehearsalTime time = new RehearsalTime(0);
        time.end();

        assertFalse(time.begin(false));
    }

    @Test
    void isOnUnlessTheBuilderSaysOtherwise() {
        ServerHandoverBuilder builder =
                ServerHandover.with(EscrowClient.builder().path("/does/not/exist"));

        ListenerDescriptions none = new ListenerDescriptions().frozen();
        assertTrue(builder.configuration(none).rehearsal());
        assertFalse(builder.rehearsal(false).configuration(none).rehearsal());
        System.setProperty("escrow.rehearsal", "false");
        try {
            ServerHandoverBuilder another = new ServerHandoverBuilder(EscrowClient.builder());
            assertFalse(another.configuration(none).rehearsal());
            assertTrue(another.rehearsal(true).configuration(none).rehearsal());
        } finally {
            System.clearProperty("escrow.rehearsal");
        }
    }

    private static boolean mayBegin(RehearsalTime time) {
        try {
            return time.await(0);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
