package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.SocketPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WaitingTest {

    @TempDir
    Path directory;

    @Test
    void readsHolderFromLockFile() throws IOException {
        Path socket = directory.resolve("s");
        assertEquals(new Waiting(socket, 0), Waiting.on(socket));

        Files.writeString(SocketPath.lockFile(socket), "1\n4711\n");
        assertEquals(new Waiting(socket, 4711), Waiting.on(socket));

        Files.writeString(SocketPath.lockFile(socket), "1\n");
        assertEquals(new Waiting(socket, 0), Waiting.on(socket));

        Files.writeString(SocketPath.lockFile(socket), "1\nnobody\n");
        assertEquals(new Waiting(socket, 0), Waiting.on(socket));
    }
}
