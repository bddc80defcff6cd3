package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A caller gives a descriptor that is closed, or never was: that request fails, and no other. */
class AddIT {

    private static final int TAG = 1;
    private static final int NEVER_OPENED = 19_999;

    @TempDir
    Path directory;

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private static void assertBadDescriptor(CompletableFuture<?> future) {
        Throwable cause =
                assertThrows(ExecutionException.class, () -> get(future)).getCause();
        assertEquals(
                Status.EBADF, assertInstanceOf(EscrowException.class, cause).status());
    }

    @Test
    void badDescriptors() throws Exception {
        try (TestFiles files = new TestFiles(directory.resolve("files"), 300);
                TestDaemon daemon = TestDaemon.start(directory)) {
            long before = daemon.warmUp();
            FileDescriptor never = new FileDescriptor(NEVER_OPENED);
            FileDescriptor closed = closed(files);
            try (EscrowClient client = get(daemon.client().connect())) {
                CompletableFuture<Void> first = client.add(TAG, 0, files.get(0), TestFiles.payload(0));
                CompletableFuture<Void> second = client.add(TAG, 1, closed, TestFiles.payload(1));
                CompletableFuture<Void> third = client.add(TAG, 2, files.get(2), TestFiles.payload(2));
                CompletableFuture<Void> fourth = client.add(TAG, 0, never, TestFiles.payload(3));
                get(first);
                assertBadDescriptor(second);
                get(third);
                assertBadDescriptor(fourth);
                assertEquals(
                        List.of(0, 2),
                        get(client.list(TAG)).stream().map(s -> s.index()).toList());
            }
            assertEquals(2, daemon.verifyFiles(TAG, files));
            daemon.awaitDescriptors(before + 2);
            bulk(daemon, files, closed);
            daemon.awaitDescriptors(before + 299);
        }
    }

    private static void bulk(TestDaemon daemon, TestFiles files, FileDescriptor closed) throws Exception {
        try (EscrowClient client = get(daemon.client().connect())) {
            BulkResult result = get(client.addAll(IntStream.range(0, 300)
                    .mapToObj(i -> i == 150 ? new Deposit(TAG, i, closed, new byte[0]) : files.deposit(TAG, i))
                    .iterator()));
            assertEquals(299, result.succeeded());
            assertEquals(Set.of(new SlotKey(TAG, 150)), result.failures().keySet());
            assertEquals(
                    Status.EBADF, result.failures().get(new SlotKey(TAG, 150)).status());
        }
        assertEquals(299, daemon.verifyFiles(TAG, files));
        assertEquals(
                IntStream.range(0, 300).filter(i -> i != 150).boxed().collect(Collectors.toSet()), daemon.used(TAG));
    }

    /** Returns a closed descriptor, whose number is used again only after many lower ones. */
    private static FileDescriptor closed(TestFiles files) throws IOException {
        try (TestFiles lower = new TestFiles(files.directory(), 100)) {
            assertTrue(lower.get(0).isOpen());
            FileDescriptor last = FileDescriptor.from("/dev/null");
            last.close();
            return last;
        }
    }
}
