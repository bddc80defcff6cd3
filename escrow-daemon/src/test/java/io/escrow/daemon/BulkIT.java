package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SlotInfo;
import io.escrow.TagInfo;
import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** As many slots as a busy server has connections. */
class BulkIT {

    private static final int TAG = 1;
    private static final int SLOTS = 15_000;

    @TempDir
    Path directory;

    @Test
    void fifteenThousandSlotsOutliveTheirClient() throws IOException {
        try (TestFiles files = new TestFiles(directory.resolve("files"), 0);
                TestDaemon daemon = TestDaemon.start(directory)) {
            long before = daemon.warmUp();
            try (TestProcess client = TestClient.start("store", daemon.path(), files, TAG, SLOTS)) {
                assertEquals("stored 15000, opened 0", client.awaitLine("stored"));
                client.kill();
            }
            daemon.awaitDescriptors(before + SLOTS);

            long own = own();
            assertEquals(SLOTS, daemon.verifyFiles(TAG, files));
            await("descriptors of this process").atMost(TestDaemon.TIMEOUT).until(() -> own() <= own);

            try (BlockingEscrow escrow = daemon.connect()) {
                List<SlotInfo> slots = escrow.list(TAG);
                assertEquals(
                        IntStream.range(0, SLOTS).boxed().toList(),
                        slots.stream().map(SlotInfo::index).toList());
                assertTrue(slots.stream()
                        .allMatch(s -> s.hasDescriptor() && s.payloadSize() == TestFiles.payload(s.index()).length));
                long bytes = slots.stream().mapToLong(SlotInfo::payloadSize).sum();
                assertEquals(new TagInfo(SLOTS, SLOTS, bytes), escrow.tag(TAG));
                assertEquals(
                        SLOTS,
                        escrow.deleteAll(slots.stream().map(SlotInfo::key).iterator())
                                .orThrow()
                                .succeeded());
                assertEquals(new TagInfo(0, 0, 0), escrow.tag(TAG));
            }
            daemon.awaitDescriptors(before);
        }
    }

    private static long own() {
        return TestProcess.descriptors(ProcessHandle.current().pid());
    }
}
