package io.escrow.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.SocketPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Gives a socket a name that fits into an address: its own, or that of a link which leads to it as long as this is open.
 * The control socket of the longest path that a daemon can have is longer than an address may be.
 */
final class ShortName implements AutoCloseable {

    private final Path name;
    private final Path directory;

    ShortName(Path socket) throws IOException {
        if (socket.toString().getBytes(UTF_8).length <= SocketPath.MAX_LENGTH) {
            name = socket;
            directory = null;
        } else {
            directory = Files.createTempDirectory("escrowctl");
            name = Files.createSymbolicLink(directory.resolve("s"), socket.toAbsolutePath());
        }
    }

    @Override
    public String toString() {
        return name.toString();
    }

    @Override
    public void close() throws IOException {
        if (directory != null) {
            Files.delete(name);
            Files.delete(directory);
        }
    }
}
