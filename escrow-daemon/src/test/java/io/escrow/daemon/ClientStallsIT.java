package io.escrow.daemon;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.daemon.Exchange.Moment;
import io.escrow.daemon.RawClient.Answer;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.SessionTimeouts;
import io.escrow.testing.TestProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A client stops at every moment of every exchange at which the daemon waits for it: it is told why it is dropped, the
 * next one is served, and finds what was asked for in whole packets and nothing else.
 *
 * <p>The moments of an exchange pass at the same time, each at a daemon of its own, since each takes as long as a daemon
 * is patient.
 */
class ClientStallsIT {

    private static final int FILES = 2 * Script.FILLED;
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    @TempDir
    static Path directory;

    @AutoClose("shutdownGracefully")
    private static final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @AutoClose
    private static TestFiles files;

    @BeforeAll
    static void openFiles() throws IOException {
        files = new TestFiles(directory.resolve("files"), FILES);
    }

    @ParameterizedTest
    @EnumSource
    void stops(Exchange exchange) throws Exception {
        List<Stalled> all = new ArrayList<>();
        try {
            for (Moment moment : exchange.moments()) {
                if (moment.keepsOthersWaiting()) {
                    all.add(new Stalled(moment, directory.resolve("s" + all.size())));
                }
            }
            for (Stalled stalled : all) {
                stalled.verify();
            }
        } finally {
            for (Stalled stalled : all) {
                stalled.close();
            }
        }
        assertEquals(FILES, files.openCount());
    }

    /** A client that says nothing more, its daemon, and the client that waits behind it. */
    private static final class Stalled implements AutoCloseable {
        private final Moment moment;
        private final EscrowDaemon daemon;
        private final RawClient client;
        private final CompletableFuture<EscrowClient> next;

        Stalled(Moment moment, Path path) throws IOException {
            this.moment = moment;
            daemon = EscrowDaemon.start(DaemonOptions.builder()
                    .path(path.toString())
                    .timeouts(new SessionTimeouts(PATIENCE, PATIENCE, PATIENCE))
                    .build());
            byte[] hello;
            try (RawClient raw = RawClient.connect(path)) {
                hello = Script.greet(raw);
                Script.fill(raw, files);
            }
            client = RawClient.connect(path);
            moment.play(client, hello, files);
            next = EscrowClient.builder()
                    .path(path.toString())
                    .group(group)
                    .connectTimeout(TestDaemon.TIMEOUT)
                    .connect();
        }

        void verify() throws Exception {
            Answer reason = client.receive().only();
            assertEquals(Status.ETIMEDOUT.errno(), reason.errno(), () -> moment + ": " + reason.text());
            client.awaitEnd();
            EscrowClient served = next.get(TestProcess.PATIENCE_SECONDS, SECONDS);
            assertEquals(moment.slots(), Script.find(served, files), moment::toString);
            served.toBlocking(TestDaemon.TIMEOUT).close();
        }

        @Override
        public void close() throws IOException {
            client.close();
            daemon.close();
        }
    }
}
