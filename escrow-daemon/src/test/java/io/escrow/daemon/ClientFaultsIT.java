package io.escrow.daemon;

import static io.escrow.daemon.Script.USED_TAG;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.SlotInfo;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.daemon.Exchange.Moment;
import io.escrow.daemon.Script.SlotContent;
import io.escrow.testing.TestProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A client dies at every moment of every exchange: what it had asked for in whole packets is done and nothing else, the
 * client that waits behind it is served, and the daemon has no descriptor open that is in no slot.
 */
class ClientFaultsIT {

    private static final int FILES = 2 * Script.FILLED;
    /** What the kernel does for a killed process it does for any, so some exchanges are enough. */
    private static final Set<Exchange> KILLED = EnumSet.of(Exchange.REPLACE, Exchange.TAKE);

    private static final int CLIENTS_AHEAD = 2;

    @TempDir
    static Path directory;

    private static final Queue<TestProcess> ahead = new ArrayDeque<>();

    @AutoClose("shutdownGracefully")
    private static final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @AutoClose
    private static TestFiles files;

    @AutoClose
    private static TestDaemon daemon;

    private static EscrowClientBuilder client;
    private static byte[] hello;
    private static long descriptors;

    @BeforeAll
    static void start() throws IOException {
        files = new TestFiles(directory.resolve("files"), FILES);
        daemon = TestDaemon.start(directory);
        client = daemon.client().group(group);
        descriptors = daemon.warmUp();
        try (RawClient raw = RawClient.connect(daemon.path())) {
            hello = Script.greet(raw);
        }
    }

    @AfterAll
    static void endClients() throws IOException {
        for (TestProcess process : ahead) {
            process.close();
        }
        ahead.clear();
    }

    static Stream<Moment> moments() {
        return Arrays.stream(Exchange.values()).flatMap(exchange -> exchange.moments().stream());
    }

    static Stream<Moment> momentsOfRequests() {
        return moments().filter(Moment::inRequest);
    }

    static Stream<Moment> momentsToKillAt() {
        return moments().filter(moment -> KILLED.contains(moment.exchange()));
    }

    /** The client closes its socket, as the kernel does for it when it is killed. */
    @ParameterizedTest
    @MethodSource("moments")
    void hangsUp(Moment moment) throws Exception {
        fill();
        CompletableFuture<EscrowClient> next;
        try (RawClient raw = RawClient.connect(daemon.path())) {
            moment.play(raw, hello, files);
            next = client.connect();
        }
        verify(moment, next);
    }

    /** The client never reads an answer, and is gone before the daemon reads the first byte. */
    @ParameterizedTest
    @MethodSource("momentsOfRequests")
    void hangsUpUnread(Moment moment) throws Exception {
        fill();
        CompletableFuture<EscrowClient> next;
        daemon.pause();
        try {
            try (RawClient raw = RawClient.connect(daemon.path())) {
                moment.playRequests(raw, hello, files);
                next = client.connect();
            }
        } finally {
            daemon.resume();
        }
        verify(moment, next);
    }

    @ParameterizedTest
    @MethodSource("momentsToKillAt")
    void killed(Moment moment) throws Exception {
        fill();
        CompletableFuture<EscrowClient> next;
        try (TestProcess process = startClient()) {
            process.say(moment.exchange() + " " + moment.message() + " " + moment.cut() + " "
                    + HexFormat.of().formatHex(hello));
            process.awaitLine("there");
            next = client.connect();
            process.kill();
        }
        verify(moment, next);
    }

    /** Returns a client process that has had time to start. */
    private static TestProcess startClient() throws IOException {
        while (ahead.size() <= CLIENTS_AHEAD) {
            ahead.add(TestClient.start("fault", daemon.path(), files, FILES));
        }
        return ahead.remove();
    }

    private static void fill() throws IOException {
        try (RawClient raw = daemon.open()) {
            Script.fill(raw, files);
        }
    }

    /** Looks at the slots with the client that has waited for its turn, and empties them. */
    private static void verify(Moment moment, CompletableFuture<EscrowClient> connecting) throws Exception {
        EscrowClient next = connecting.get(TestProcess.PATIENCE_SECONDS, SECONDS);
        try {
            Map<Integer, SlotContent> found = Script.find(next, files);
            assertEquals(moment.slots(), found);
            long held = found.values().stream().filter(slot -> slot.file() >= 0).count();
            daemon.awaitDescriptors(descriptors + TestDaemon.SESSION + held);

            List<SlotInfo> used = next.list(USED_TAG).get(TestProcess.PATIENCE_SECONDS, SECONDS);
            next.deleteAll(used.stream().map(SlotInfo::key).iterator())
                    .get(TestProcess.PATIENCE_SECONDS, SECONDS)
                    .orThrow();
            daemon.awaitDescriptors(descriptors + TestDaemon.SESSION);
        } finally {
            next.toBlocking(TestDaemon.TIMEOUT).close();
        }
        assertEquals(FILES, files.openCount());
    }
}
