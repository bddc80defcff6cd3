package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.Deposit;
import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestConnection;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nobody comes back for what a daemon holds. */
class UnclaimedIT {

    private static final int TAG = 1;
    private static final byte[] FAREWELL = "bye".getBytes(US_ASCII);

    @TempDir
    Path directory;

    @Test
    void freesSlotsOfPeersThatHaveGone() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(directory, "--reap", "--reap-interval=1");
                TestConnection gone = TestConnection.tcp();
                TestConnection alive = TestConnection.tcp()) {
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(new Deposit(TAG, 0, gone.server(), new byte[0], FAREWELL));
                escrow.add(new Deposit(TAG, 1, alive.server(), new byte[0], FAREWELL));
                gone.server().close();
                alive.server().close();
            }
            gone.peerResets();

            daemon.awaitLine(
                    line -> line.endsWith("slots freed whose peer has gone slots=\"1\""),
                    "the daemon has freed a slot");
            assertEquals(Set.of(1), daemon.used(TAG));
            alive.peerSends((byte) 1);
        }
    }

    @Test
    void endsWhatNobodyClaimsAndLeavesWhatSomebodyServes() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(directory, "--unclaimed-timeout=1");
                TestConnection gone = TestConnection.tcp();
                TestConnection gonePlain = TestConnection.unix(directory.resolve("c"));
                TestConnection served = TestConnection.tcp()) {
            long before = daemon.warmUp();
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(new Deposit(TAG, 0, gone.server(), new byte[0], FAREWELL));
                escrow.add(new Deposit(TAG, 1, gonePlain.server(), new byte[0]));
                escrow.add(new Deposit(TAG, 2, served.server(), new byte[0], FAREWELL));
                escrow.add(TAG, 3, new byte[10]);
                gone.server().close();
                gonePlain.server().close();
            }

            daemon.awaitLine(line -> line.contains("unclaimed slots closed"), "the daemon has closed the slots");
            assertArrayEquals(FAREWELL, gone.peerReadsToTheEnd());
            assertEquals(0, gonePlain.peerReadsToTheEnd().length);
            served.server().write(ByteBuffer.allocateDirect(1), 0, 1);
            served.assertPeerReads(new byte[1]);
            served.server().close();
            assertEquals(0, served.peerReadsToTheEnd().length);

            assertEquals(
                    1,
                    daemon.lines().stream()
                            .filter(line -> line.endsWith("unclaimed slots closed seconds=\"1\" slots=\"4\" told=\"1\""
                                    + " untold=\"1\" left=\"1\""))
                            .count(),
                    () -> daemon.lines().toString());
            daemon.awaitDescriptors(before);
        }
    }
}
