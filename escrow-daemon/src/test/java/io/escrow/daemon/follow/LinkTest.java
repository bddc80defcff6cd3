package io.escrow.daemon.follow;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.codec.Wire;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.store.Store;
import io.escrow.testing.TestProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A follower of a daemon, over a socket. */
class LinkTest {

    private static final Duration TIMEOUT = Duration.ofSeconds(TestProcess.PATIENCE_SECONDS);

    private static final PrimaryCheck ANYTHING = new PrimaryCheck() {
        @Override
        public void session(SessionState session) {
            // Any session can go on.
        }

        @Override
        public void primary(PrimaryLimits limits) {
            // Any daemon can be followed.
        }
    };

    @TempDir
    Path directory;

    @AutoClose("shutdownNow")
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    private final Store store = new Store(32, new StoreLimits(100, 10_000, 10));

    @AutoClose
    private EscrowDaemon daemon;

    private Path path;

    @BeforeEach
    void start() throws EscrowException {
        path = directory.resolve("s");
        daemon = EscrowDaemon.start(DaemonOptions.of(path.toString()));
    }

    @AfterEach
    void drop() throws Exception {
        group.next().submit(store::close).sync();
    }

    private Follower follow(LinkHello hello) throws EscrowException {
        Follower follower = new Follower(store, hello, ANYTHING, () -> {});
        LinkConnector.connect(path, group, Runnable::run, follower);
        return follower;
    }

    private BlockingEscrow client() throws EscrowException {
        return EscrowClient.builder().path(path.toString()).connectBlocking(TIMEOUT);
    }

    private void allow() {
        daemon.allowSuccessor(jar -> {
            throw new IllegalStateException("nobody asks for one");
        });
    }

    private void close(Follower follower) throws Exception {
        group.next().submit(follower::close).sync();
        follower.closed().get(TestProcess.PATIENCE_SECONDS, SECONDS);
    }

    @Test
    void followerOfALaterVersionGetsWhatIsThereAndWhatChanges() throws Exception {
        allow();
        try (BlockingEscrow escrow = client()) {
            escrow.add(1, 1, new byte[10]);
            escrow.add(31, Integer.MAX_VALUE, new byte[20]);
            Follower follower = follow(new LinkHello(1, 7, -1, "9.0"));
            follower.synced().get(TestProcess.PATIENCE_SECONDS, SECONDS);
            assertEquals(2, group.next().submit(() -> store.slots()).get());
            escrow.delete(1, 1);
            escrow.update(31, Integer.MAX_VALUE, new byte[5]);
            follower.take();
            follower.committed().get(TestProcess.PATIENCE_SECONDS, SECONDS);
            assertEquals(1, group.next().submit(() -> store.slots()).get());
            assertEquals(5, group.next().submit(() -> store.bytes(31)).get());
            assertTrue(follower.session().state().greeted());
            close(follower);
            // The daemon goes on.
            escrow.delete(31, Integer.MAX_VALUE);
        }
    }

    /** The client would send it what it can't receive. */
    @Test
    void followerThatKnowsNoBatchesDoesNotGetTheirSession() throws Exception {
        assumeTrue(Wire.keepsFlags(), "no io_uring");
        allow();
        try (BlockingEscrow escrow = client()) {
            escrow.add(1, 1, new byte[10]);
            for (long features : new long[] {LinkHello.KEEPS_FLAGS, LinkHello.KEEPS_FLAGS | LinkHello.BATCHES}) {
                Follower follower = follow(new LinkHello(1, 1, features, "0.1"));
                follower.synced().get(TestProcess.PATIENCE_SECONDS, SECONDS);
                follower.take();
                follower.committed().get(TestProcess.PATIENCE_SECONDS, SECONDS);
                boolean moves = (features & LinkHello.BATCHES) != 0;
                assertEquals(moves, follower.session().state() != null);
                close(follower);
                escrow.tag(1);
            }
        }
    }

    /** Old and new versions, with and without io_uring, in each order. */
    @Test
    void descriptorsComeOneByOneUnlessBothUseBatches() throws Exception {
        assumeTrue(Wire.keepsFlags(), "no io_uring");
        long old = LinkHello.KEEPS_FLAGS | LinkHello.BATCHES;
        for (boolean primary : new boolean[] {true, false}) {
            daemon.close();
            daemon = EscrowDaemon.start(DaemonOptions.builder()
                    .path(path.toString())
                    .descriptorBatches(primary)
                    .build());
            allow();
            for (long features : new long[] {old, old | LinkHello.LINK_BATCHES}) {
                getsWhatWasStored(new LinkHello(1, 1, features, "1"));
            }
        }
    }

    private void getsWhatWasStored(LinkHello hello) throws Exception {
        int most = 9;
        try (BlockingEscrow escrow = client()) {
            FileDescriptor socket = Socket.newSocketStream();
            FileDescriptor[] pipe = FileDescriptor.pipe();
            for (int i = 0; i < most; i++) {
                escrow.add(1, i, i % 3 == 0 ? pipe[0] : socket, new byte[i]);
            }
            Follower follower = follow(hello);
            follower.synced().get(TestProcess.PATIENCE_SECONDS, SECONDS);
            escrow.delete(1, most - 1);
            escrow.add(2, 0, socket, new byte[3]);
            follower.take();
            follower.committed().get(TestProcess.PATIENCE_SECONDS, SECONDS);
            assertEquals(most, group.next().submit(() -> store.slots()).get());
            for (int i = 0; i < most - 1; i++) {
                int index = i;
                String stored = group.next()
                        .submit(() -> link(store.get(1, index).descriptor()))
                        .get();
                assertEquals(link(i % 3 == 0 ? pipe[0] : socket), stored);
            }
            assertEquals(2, follower.sockets().size());
            close(follower);
            group.next().submit(() -> store.clear()).sync();
            for (int i = 0; i < most - 1; i++) {
                escrow.delete(1, i);
            }
            escrow.delete(2, 0);
            pipe[0].close();
            pipe[1].close();
            socket.close();
        }
    }

    private static String link(FileDescriptor descriptor) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor.intValue()))
                .toString();
    }

    @Test
    void refusesASecondFollower() throws Exception {
        allow();
        Follower first = follow(LinkHello.own(true, true, "1"));
        first.synced().get(TestProcess.PATIENCE_SECONDS, SECONDS);
        refused(follow(LinkHello.own(true, true, "1")), "another escrowd follows already");
        close(first);
    }

    @Test
    void refusesAnotherVersion() throws Exception {
        allow();
        refused(follow(new LinkHello(2, 2, 0, "9.0")), "versions of the link");
    }

    @Test
    void refusesAFollowerUnlessItIsAllowed() throws Exception {
        refused(follow(LinkHello.own(true, true, "1")), "part of another program");
    }

    @Test
    void refusesWhatComesAtTheWrongTime() throws Exception {
        allow();
        Follower follower = follow(LinkHello.own(true, true, "1"));
        follower.synced().get(TestProcess.PATIENCE_SECONDS, SECONDS);
        follower.serving();
        follower.closed().get(TestProcess.PATIENCE_SECONDS, SECONDS);
        assertTrue(follower.reason().contains("the lock was not released"), follower.reason());
        try (BlockingEscrow escrow = client()) {
            assertEquals(0, escrow.tag(1).used());
        }
    }

    @Test
    void saysWhatTheControlSocketRefuses() {
        EscrowException e = assertThrows(
                EscrowException.class,
                () -> LinkConnector.connect(
                        directory.resolve("none"),
                        group,
                        Runnable::run,
                        new Follower(store, LinkHello.own(true, true, "1"), ANYTHING, () -> {})));
        assertTrue(e.getMessage().contains("no escrowd answers at"), e.getMessage());
    }

    private static void refused(Follower follower, String reason) throws Exception {
        assertThrows(ExecutionException.class, () -> follower.synced().get(TestProcess.PATIENCE_SECONDS, SECONDS));
        assertTrue(follower.reason().contains(reason), follower.reason());
    }
}
