package io.escrow.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.SocketPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Provides a name of a socket that is short enough for an address: its own path, or a link that exists until this is
 * closed. The path of a control socket may be longer than an address can be.
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
