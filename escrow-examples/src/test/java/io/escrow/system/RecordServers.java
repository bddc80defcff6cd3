package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.JarProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.mqtt.MqttDecoder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs a daemon, servers of records one after the other, and clients of theirs that check that nothing is missing.
 *
 * <p>The system properties {@code handover.connections} and {@code handover.rounds} make the tests larger.
 */
abstract class RecordServers {

    static final int CONNECTIONS = Integer.getInteger("handover.connections", 200);
    static final int ROUNDS = Integer.getInteger("handover.rounds", 5);

    @TempDir
    Path directory;

    final Random random = new Random(5);
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final CompletableFuture<Void> failed = new CompletableFuture<>();
    final List<RecordPeer> peers = new ArrayList<>();
    private final List<JarProcess> servers = new ArrayList<>();
    JarProcess daemon;
    boolean inWaves;
    boolean hosted;
    private List<RecordService> services = List.of(RecordService.TCP);
    private List<Integer> ports = List.of(0);

    final Path socket() {
        return directory.resolve("s");
    }

    @BeforeEach
    final void startDaemon() throws IOException {
        daemon = JarProcess.escrowd(socket());
    }

    @AfterEach
    final void endProcesses() throws IOException {
        // All of them first: closing one fails if it has leaked something.
        servers.forEach(JarProcess::kill);
        daemon.kill();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        for (JarProcess server : servers) {
            server.close();
        }
        daemon.close();
    }

    /** Sets what the servers offer; otherwise one service. To be called first. */
    final void serve(RecordService... offered) {
        services = List.of(offered);
        ports = Collections.nCopies(offered.length, 0);
    }

    final JarProcess start(boolean crashSafe) throws IOException {
        JarProcess server = launch(crashSafe);
        ports = Stream.of(
                        server.awaitLine(RecordServer.SERVING).split(" ", 3)[1].split(","))
                .map(Integer::valueOf)
                .toList();
        return server;
    }

    final JarProcess launch(boolean crashSafe) throws IOException {
        return launch(crashSafe, Flaw.NONE);
    }

    final JarProcess launch(boolean crashSafe, Flaw flaw) throws IOException {
        JarProcess server = JarProcess.main(
                List.of(MqttDecoder.class),
                RecordServer.class,
                socket().toString(),
                joined(services),
                joined(ports),
                String.valueOf(crashSafe),
                String.valueOf(inWaves),
                flaw.argument(),
                String.valueOf(hosted));
        servers.add(server);
        return server;
    }

    private static String joined(List<?> values) {
        return values.stream().map(String::valueOf).collect(Collectors.joining(","));
    }

    /** Connects clients of each kind to each service. */
    final void connect(List<RecordPeer.Kind> kinds) {
        for (int i = 0; i < CONNECTIONS; i++) {
            int service = i % services.size();
            RecordPeer peer = new RecordPeer(
                    group.next(),
                    ports.get(service),
                    services.get(service).transport(),
                    kinds.get(i / services.size() % kinds.size()),
                    i,
                    failed);
            peers.add(peer);
            group.next().execute(peer::connect);
        }
    }

    /** Lets the clients talk for a random while; fails when one of them has seen something wrong. */
    final void goOn() throws Exception {
        goOn(300 + random.nextInt(700));
    }

    /** Lets the clients go on for so long, or until one of them misses something. */
    final void goOn(int millis) throws Exception {
        try {
            failed.get(millis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            // It is what should be.
        }
    }

    final void await(Function<RecordPeer, CompletableFuture<Void>> event) throws Exception {
        CompletableFuture<Void> all =
                CompletableFuture.allOf(peers.stream().map(event).toArray(CompletableFuture[]::new));
        try {
            CompletableFuture.anyOf(all, failed).get(60, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError(described(event), e);
        }
    }

    /** Returns what keeps the clients from an event, and what the servers have printed. */
    private String described(Function<RecordPeer, CompletableFuture<Void>> event) {
        return Stream.concat(
                        peers.stream()
                                .filter(peer -> !event.apply(peer).isDone())
                                .map(RecordPeer::toString),
                        servers.stream().map(server -> server.pid() + ": " + server.lines()))
                .collect(Collectors.joining("\n"));
    }

    /** Looks into the escrow behind one more server, which has seen the end of the connections that it was handed. */
    final void assertOnlyTheListenersAreLeft(JarProcess last) throws Exception {
        last.terminate();
        last.awaitExit();
        try (BlockingEscrow escrow =
                EscrowClient.builder().path(socket().toString()).connectBlocking(Duration.ofSeconds(30))) {
            assertEquals(services.size(), escrow.tag(0).used());
            assertEquals(0, escrow.tag(1).used());
            assertEquals(0, escrow.tag(2).used());
        }
    }
}
