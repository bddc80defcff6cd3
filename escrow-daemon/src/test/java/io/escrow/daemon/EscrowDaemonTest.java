package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.codec.Wire;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.testing.RawPeer;
import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A daemon in this process, and what it says on the wire: see PROTOCOL.md. */
class EscrowDaemonTest {

    private static final String HELLO = "00000014 00000000 00000010 01000000 00000000 45534352 00010000";
    private static final String WELCOME = "00000030 00000000 0000002c 01800000 00000000 45534352 0001"
            + (Wire.keepsFlags() ? "0001" : "0000")
            + "00000020 00008000 00100000 00000080 00000400 00000002 00000400";
    private static final String OK = "00000010 00000000 0000000c 05800000 00000000 00000000";
    private static final String GET = "0000000c 00000000 00000008 03000001 00000007";
    private static final String DELETE = "0000000c 00000000 00000008 04000001 00000007";
    private static final String ADD_PRELUDE = "00000016 00000001";
    private static final String ADD = "00000012 02010001 00000007 00000005 00000002 6869";
    private static final String ADDED = "00000012 02810001 00000007 00000005 00000002 6869";

    @TempDir
    Path directory;

    private Path path;
    private EscrowDaemon daemon;
    private TestFile file;
    private FileDescriptor descriptor;

    @BeforeEach
    void start() throws IOException {
        path = directory.resolve("s");
        daemon = EscrowDaemon.start(DaemonOptions.of(path.toString()));
        file = new TestFile(directory, "a");
        descriptor = file.open();
    }

    @AfterEach
    void stop() throws IOException {
        daemon.close();
        file.awaitOpenCount(1);
        descriptor.close();
    }

    @Test
    void speaksAsTheProtocolSays() throws IOException {
        try (RawPeer peer = greet()) {
            add(peer);
            peer.send(GET);
            expect(peer, ADD_PRELUDE);
            FileDescriptor received = new FileDescriptor(peer.receiveDescriptor());
            expect(peer, ADDED);

            assertTrue(file.is(received));
            received.close();
        }
    }

    @Test
    void servesTheNextWhenTheSessionEnds() throws IOException {
        RawPeer first = greet();
        add(first);
        try (RawPeer second = RawPeer.connect(path)) {
            second.send(HELLO);
            first.close();

            expect(second, WELCOME);
            second.send(DELETE);
            expect(second, OK);
        }
    }

    @Test
    void endsSessionOfOneWhoTalksNonsenseAndKeepsTheSlots() throws IOException {
        try (RawPeer peer = greet()) {
            add(peer);
            peer.send("47455420 2f204854");
            assertTrue(peer.receive(24).endsWith("ffffffb9"), "EPROTO");
            peer.receive("packet length: 1195725856 (expected: 12..1048576)".length());
            peer.awaitEnd();
        }
        try (RawPeer next = greet()) {
            next.send(DELETE);
            expect(next, OK);
        }
    }

    @Test
    void carriesOutOnlyWholePacketsOfClientThatDies() throws IOException {
        RawPeer dying = greet();
        dying.send(ADD_PRELUDE);
        dying.sendDescriptor(descriptor.intValue());
        dying.send(ADD);
        dying.send("00000016 00000002");
        dying.sendDescriptor(descriptor.intValue());
        dying.close();

        try (RawPeer next = greet()) {
            next.send(DELETE);
            expect(next, OK);
            file.awaitOpenCount(1);
        }
    }

    @Test
    void losesNothingForClientThatReadsLate() throws Exception {
        int requests = 4_000;
        try (RawPeer peer = greet()) {
            add(peer);
            CompletableFuture<Void> asking = CompletableFuture.runAsync(() -> {
                for (int i = 0; i < requests; i++) {
                    peer.send(GET);
                }
            });
            // The daemon stops reading while its answers wait, and then so does the sender: far more than sockets hold.
            for (int i = 0; i < requests; i++) {
                expect(peer, ADD_PRELUDE);
                new FileDescriptor(peer.receiveDescriptor()).close();
                expect(peer, ADDED);
            }
            asking.join();
        }
    }

    @Test
    void notesWhoseSessionIsOn() throws IOException {
        String own = Long.toString(ProcessHandle.current().pid());
        try (RawPeer peer = greet()) {
            assertEquals(own, Files.readAllLines(SocketPath.lockFile(path)).get(1));
            add(peer);
        }
        await().until(() -> Files.readAllLines(SocketPath.lockFile(path)).get(1).equals("0"));
    }

    @Test
    void closesEverythingAndRemovesItsSocketInTheMiddleOfSession() throws IOException {
        try (RawPeer peer = greet()) {
            add(peer);
            daemon.close();

            peer.awaitEnd();
            assertFalse(Files.exists(path));
            assertEquals("0", Files.readAllLines(SocketPath.lockFile(path)).get(1));
            assertEquals(1, file.openCount());
        }
    }

    @Test
    void mayBeClosedTwice() throws IOException {
        daemon.close();
        EscrowDaemon next = EscrowDaemon.start(DaemonOptions.of(path.toString()));
        daemon.close();

        assertTrue(SocketPath.isServed(path));
        next.close();
        assertFalse(Files.exists(path));
    }

    @Test
    void isAloneOnItsPath() {
        assertThrows(EscrowException.class, () -> EscrowDaemon.start(DaemonOptions.of(path.toString())));

        assertTrue(SocketPath.isServed(path));
    }

    private RawPeer greet() throws IOException {
        RawPeer peer = RawPeer.connect(path);
        peer.send(HELLO);
        expect(peer, WELCOME);
        return peer;
    }

    private void add(RawPeer peer) {
        peer.send(ADD_PRELUDE);
        peer.sendDescriptor(descriptor.intValue());
        peer.send(ADD);
        expect(peer, OK);
    }

    private static void expect(RawPeer peer, String hex) {
        String digits = hex.replace(" ", "");
        assertEquals(digits, peer.receive(digits.length() / 2));
    }
}
