package io.escrow.control;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.SocketPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Provides a name of a socket that is short enough for an address: its own path, or a link that exists until this is
 * closed. The path of a control socket may be longer than an address can be.
 */
public final class ShortName implements AutoCloseable {

    private final Path name;
    private final Path directory;

    /**
     * Creates a name, and a link in the directory for temporary files if the socket's own path is too long.
     *
     * @param socket the path of the socket
     * @throws IOException if no link can be made
     */
    public ShortName(Path socket) throws IOException {
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
