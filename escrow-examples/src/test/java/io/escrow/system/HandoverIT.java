package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Hands real processes over, or kills them, at random moments, under the eyes of clients that miss nothing.
 *
 * <p>The system properties {@code handover.connections} and {@code handover.rounds} make it larger.
 */
class HandoverIT {

    private static final int CONNECTIONS = Integer.getInteger("handover.connections", 200);
    private static final int ROUNDS = Integer.getInteger("handover.rounds", 8);
    private static final List<RecordPeer.Kind> KINDS = List.of(
            RecordPeer.Kind.TALKING,
            RecordPeer.Kind.NOT_READING,
            RecordPeer.Kind.HALF_SENDING,
            RecordPeer.Kind.IDLE,
            RecordPeer.Kind.HALF_CLOSING);

    @TempDir
    Path directory;

    private final Random random = new Random(5);
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final CompletableFuture<Void> failed = new CompletableFuture<>();
    private final List<RecordPeer> peers = new ArrayList<>();
    private final List<JarProcess> servers = new ArrayList<>();
    private JarProcess daemon;
    private boolean inWaves;
    private int port;

    private Path socket() {
        return directory.resolve("s");
    }

    @BeforeEach
    void startDaemon() throws IOException {
        daemon = JarProcess.escrowd(socket());
    }

    @AfterEach
    void endProcesses() throws IOException {
        for (JarProcess server : servers) {
            server.close();
        }
        daemon.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nothingIsLostThroughHandovers(boolean inWaves) throws Exception {
        this.inWaves = inWaves;
        JarProcess server = start(false);
        connect(KINDS);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            JarProcess next;
            if (round % 2 == 0) {
                next = launch(false);
                next.awaitLine(RecordServer.WAITING);
                server.terminate();
            } else {
                server.terminate();
                server.awaitExit();
                next = launch(false);
            }
            next.awaitLine(RecordServer.SERVING);
            server.awaitExit();
            server = next;
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenerIsLeft(start(false));
    }

    @Test
    void connectionsOutliveKills() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        // A connection that is accepted, but not in the escrow yet, dies with its process.
        await(RecordPeer::served);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            server.kill();
            server = start(true);
            peers.forEach(RecordPeer::repeat);
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenerIsLeft(start(true));
    }

    @Test
    void connectionsOutliveKillsOfTheDaemonAndThenOfTheServer() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            daemon.kill();
            goOn();
            daemon = JarProcess.escrowd(socket(), "--force");
            server.awaitLine(line -> line.contains("is on again: " + (CONNECTIONS + 1)), "that all are escrowed anew");
            server.kill();
            server = start(true);
            peers.forEach(RecordPeer::repeat);
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenerIsLeft(start(true));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsOutliveKillsInTheMiddleOfAHandover(boolean ofTheNext) throws Exception {
        inWaves = true;
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            JarProcess next = launch(true);
            next.awaitLine(RecordServer.WAITING);
            server.terminate();
            goOn(random.nextInt(300));
            if (ofTheNext) {
                next.kill();
                server = start(true);
            } else {
                server.kill();
                next.awaitLine(RecordServer.SERVING);
                server = next;
            }
            peers.forEach(RecordPeer::repeat);
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenerIsLeft(start(true));
    }

    private JarProcess start(boolean crashSafe) throws IOException {
        JarProcess server = launch(crashSafe);
        port = Integer.parseInt(server.awaitLine(RecordServer.SERVING).split(" ", 3)[1]);
        return server;
    }

    private JarProcess launch(boolean crashSafe) throws IOException {
        JarProcess server = JarProcess.main(
                RecordServer.class,
                socket().toString(),
                String.valueOf(port),
                String.valueOf(crashSafe),
                String.valueOf(inWaves));
        servers.add(server);
        return server;
    }

    private void connect(List<RecordPeer.Kind> kinds) {
        for (int i = 0; i < CONNECTIONS; i++) {
            RecordPeer peer = new RecordPeer(group.next(), port, kinds.get(i % kinds.size()), i, failed);
            peers.add(peer);
            group.next().execute(peer::connect);
        }
    }

    /** Lets the clients talk for a random while; fails when one of them has seen something wrong. */
    private void goOn() throws Exception {
        goOn(300 + random.nextInt(700));
    }

    /** Lets the clients go on for so long, or until one of them misses something. */
    private void goOn(int millis) throws Exception {
        try {
            failed.get(millis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            // It is what should be.
        }
    }

    private void await(Function<RecordPeer, CompletableFuture<Void>> event) throws Exception {
        CompletableFuture<Void> all =
                CompletableFuture.allOf(peers.stream().map(event).toArray(CompletableFuture[]::new));
        CompletableFuture.anyOf(all, failed).get(60, TimeUnit.SECONDS);
    }

    /** Looks into the escrow behind one more server, which has seen the end of the connections that it was handed. */
    private void assertOnlyTheListenerIsLeft(JarProcess last) throws Exception {
        last.terminate();
        last.awaitExit();
        try (BlockingEscrow escrow =
                EscrowClient.builder().path(socket().toString()).connectBlocking(Duration.ofSeconds(30))) {
            assertEquals(1, escrow.tag(0).used());
            assertEquals(0, escrow.tag(1).used());
            assertEquals(0, escrow.tag(2).used());
        }
    }
}
