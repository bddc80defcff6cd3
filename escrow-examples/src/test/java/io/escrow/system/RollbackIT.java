package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.handover.store.HandoverRecord;
import io.escrow.system.VersionServer.Lack;
import io.escrow.testing.JarProcess;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Goes forward to a version that can't take over most of the connections, each kind for another reason, and back to the
 * version before: no client misses anything.
 */
class RollbackIT {

    private static final int EACH = Integer.getInteger("rollback.connections", 12);
    private static final List<RecordPeer.Kind> KINDS =
            List.of(RecordPeer.Kind.TALKING, RecordPeer.Kind.HALF_SENDING, RecordPeer.Kind.IDLE);
    private static final byte[] RECORD = {0, 0, 0, 4, 1, 2, 3, 4};
    private static final int HALF = 6;
    private static final int VERSION = 8;

    @TempDir
    private Path directory;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final CompletableFuture<Void> failed = new CompletableFuture<>();
    private final List<RecordPeer> peers = new ArrayList<>();
    private final List<Socket> halfSenders = new ArrayList<>();
    private final List<JarProcess> processes = new ArrayList<>();
    private boolean crashSafe;
    private boolean inWaves;
    private String ports = "0";

    @BeforeEach
    void startDaemon() throws IOException {
        processes.add(JarProcess.escrowd(directory.resolve("s")));
    }

    @AfterEach
    void endAll() throws IOException {
        for (Socket client : halfSenders) {
            client.close();
        }
        for (JarProcess process : processes) {
            process.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private JarProcess launch(boolean bad) throws IOException {
        JarProcess server = JarProcess.main(
                VersionServer.class,
                directory.resolve("s").toString(),
                ports,
                String.valueOf(crashSafe),
                String.valueOf(inWaves),
                String.valueOf(bad));
        processes.add(server);
        return server;
    }

    private int port(Lack lack) {
        return Integer.parseInt(ports.split(",", -1)[VersionServer.LACKS.indexOf(lack)]);
    }

    /** A bad version that is killed takes along what it has adopted, unless it is crash-safe. */
    @ParameterizedTest
    @CsvSource({
        "false, false, false",
        "false, true, false",
        "false, false, true",
        "false, true, true",
        "true, false, false"
    })
    void clientsGoOnAfterTheRollback(boolean waves, boolean safe, boolean killed) throws Exception {
        inWaves = waves;
        crashSafe = safe;
        JarProcess server = launch(false);
        ports = server.awaitLine(RecordServer.SERVING).split(" ", 3)[1];
        connect(killed);
        goOn();

        JarProcess bad = replace(server, true);
        String report = bad.awaitLine(RecordServer.SERVING);
        assertTrue(report.contains("refused=[]"), report);
        String left = report.substring(report.indexOf("left=["), report.indexOf("took="));
        for (String reason : List.of(
                "a bad version", "handler:state", "collected:records", "protocol:records", "listener LISTENER")) {
            assertTrue(left.contains(reason), left);
        }
        assertEquals(!inWaves, left.contains("needs a reader of version"), left);
        goOn();

        JarProcess good;
        if (killed) {
            bad.kill();
            change(2);
            good = launch(false);
        } else {
            good = replace(bad, false);
        }
        report = good.awaitLine(RecordServer.SERVING);
        assertTrue(report.contains("refused=[]") && report.contains("left=[]"), report);
        for (Socket client : halfSenders) {
            client.getOutputStream().write(RECORD, HALF, RECORD.length - HALF);
            byte[] echo = new byte[RECORD.length];
            new DataInputStream(client.getInputStream()).readFully(echo);
            assertEquals(ByteBuffer.wrap(RECORD), ByteBuffer.wrap(echo));
            client.close();
        }
        CompletableFuture<Void> all =
                CompletableFuture.allOf(peers.stream().map(RecordPeer::finish).toArray(CompletableFuture[]::new));
        CompletableFuture.anyOf(all, failed).get(60, TimeUnit.SECONDS);
        good.terminate();
        good.awaitExit();
        server.awaitExit();
        try (BlockingEscrow escrow = escrow()) {
            assertEquals(VersionServer.LACKS.size(), escrow.tag(0).used());
            assertEquals(0, escrow.tag(1).used());
            assertEquals(0, escrow.tag(2).used());
        }
    }

    /** Ends a server and starts the other version: in waves the next one waits already. */
    private JarProcess replace(JarProcess server, boolean bad) throws IOException {
        JarProcess next;
        if (inWaves) {
            next = launch(bad);
            next.awaitLine(RecordServer.WAITING);
            server.terminate();
        } else {
            server.terminate();
            server.awaitExit();
            change(bad ? 3 : 2);
            next = launch(bad);
        }
        return next;
    }

    /** Makes records of a version of some connections: those of a later version can't be read by the bad one. */
    private void change(int version) throws IOException {
        try (BlockingEscrow escrow = escrow()) {
            List<Entry> entries = new ArrayList<>();
            escrow.getAll(1, entries::add);
            for (Entry entry : entries) {
                byte[] payload = entry.payload();
                entry.close();
                boolean changed = HandoverRecord.of(payload)
                        .map(record -> record.lowest() > 2 || (record.clean() && isUnflawed(record) && version > 2))
                        .orElse(false);
                if (changed) {
                    payload[VERSION] = (byte) version;
                    payload[VERSION + 1] = (byte) version;
                    escrow.update(1, entry.index(), payload);
                }
            }
        }
    }

    private static boolean isUnflawed(HandoverRecord record) {
        return Lack.RECORD.name().equals(record.listener());
    }

    private BlockingEscrow escrow() throws IOException {
        return EscrowClient.builder().path(directory.resolve("s").toString()).connectBlocking(Duration.ofSeconds(30));
    }

    private void connect(boolean toBeKilled) throws IOException {
        EventLoop loop = group.next();
        for (Lack lack : VersionServer.LACKS) {
            for (int i = 0; i < EACH; i++) {
                // What the bad version's other decoder has collected is as strange to the good one.
                boolean survives = lack != Lack.DECODER && !(toBeKilled && lack == Lack.NOTHING);
                if (survives) {
                    RecordPeer peer = new RecordPeer(
                            loop, port(lack), RecordTransport.TCP, KINDS.get(i % KINDS.size()), peers.size(), failed);
                    peers.add(peer);
                    loop.execute(peer::connect);
                }
            }
            if (!(toBeKilled && lack == Lack.NOTHING)) {
                Socket client = new Socket(InetAddress.getLoopbackAddress(), port(lack));
                halfSenders.add(client);
                client.setSoTimeout(60_000);
                client.getOutputStream().write(RECORD);
                new DataInputStream(client.getInputStream()).readFully(new byte[RECORD.length]);
                client.getOutputStream().write(RECORD, 0, HALF);
            }
        }
    }

    /** Lets the clients go on for a while, or until one of them misses something. */
    private void goOn() throws Exception {
        try {
            failed.get(500, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            // It is what should be.
        }
    }
}
