package com.example;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.Entry;
import io.escrow.client.BlockingEscrow;
import io.escrow.daemon.EscrowDaemon;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Uses the artifacts as they are published, from a project that knows nothing of their build. */
@Timeout(60)
class KeeperTest {

    private static final byte[] PAYLOAD = "user=ann".getBytes(UTF_8);

    @TempDir
    Path directory;

    private Path socket;
    private Path file;

    @BeforeEach
    void createFile() throws IOException {
        socket = directory.resolve("escrow.sock");
        file = Files.createFile(directory.resolve("file"));
    }

    @Test
    void keepsFileInEmbeddedDaemon() throws Exception {
        try (EscrowDaemon daemon = Keeper.embed(socket)) {
            storeAndFetch();

            assertEquals(List.of(), ProcessHandle.current().children().toList());
        }
    }

    @Test
    void keepsFileInProcessStartedOnDemand() throws Exception {
        List<ProcessHandle> started;
        try {
            storeAndFetch();
        } finally {
            started = ProcessHandle.current().children().toList();
            started.forEach(ProcessHandle::destroy);
        }
        for (ProcessHandle process : started) {
            process.onExit().get(20, TimeUnit.SECONDS);
        }
        assertEquals(1, started.size(), "daemons started: " + started);
    }

    private void storeAndFetch() throws Exception {
        try (BlockingEscrow escrow = Keeper.connect(socket)) {
            Keeper.store(escrow, file, PAYLOAD);
        }
        // The next session, as that of a restarted server.
        try (BlockingEscrow escrow = Keeper.connect(socket);
                Entry entry = Keeper.fetch(escrow)) {
            assertArrayEquals(PAYLOAD, entry.payload());
            FileDescriptor descriptor = entry.takeDescriptor();
            ByteBuffer content = ByteBuffer.allocateDirect(3).put("new".getBytes(UTF_8));
            assertEquals(3, descriptor.write(content, 0, 3));
            descriptor.close();
            assertEquals("new", Files.readString(file));
        }
    }
}
