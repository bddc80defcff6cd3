package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.Native;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kinds that Java can open; DescriptorKindsIT has more. */
class FileFlagsTest {

    private static final String NON_BLOCKING = "would become non-blocking for all processes that share it";

    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void makeFile() throws IOException {
        Epoll.ensureAvailability();
        file = Files.createFile(directory.toRealPath().resolve("f"));
    }

    @Test
    void appendingFile() throws IOException {
        try (FileChannel log = FileChannel.open(file, StandardOpenOption.APPEND)) {
            FileDescriptor descriptor = descriptorOf(file);

            assertEquals(
                    "descriptor " + descriptor.intValue() + " (" + file
                            + ") would lose O_APPEND for all processes that share it",
                    FileFlags.loss(descriptor));
            assertEquals(0, log.size());
        }
    }

    @Test
    void otherFile() throws IOException {
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            assertNull(FileFlags.loss(descriptorOf(file)));
            assertEquals(0, open.length());
        }
    }

    @Test
    void fifo() throws Exception {
        Path fifo = file.resolveSibling("fifo");
        Process mkfifo =
                new ProcessBuilder("mkfifo", fifo.toString()).inheritIO().start();
        assertEquals(true, mkfifo.waitFor(30, TimeUnit.SECONDS));
        try (RandomAccessFile open = new RandomAccessFile(fifo.toFile(), "rw")) {
            FileDescriptor descriptor = descriptorOf(fifo);

            assertEquals(
                    "descriptor " + descriptor.intValue() + " (" + fifo + ") " + NON_BLOCKING,
                    FileFlags.loss(descriptor));
            assertEquals(true, open.getFD().valid());
        }
    }

    @Test
    void device() throws IOException {
        FileDescriptor device = FileDescriptor.from("/dev/null");

        assertEquals("descriptor " + device.intValue() + " (/dev/null) " + NON_BLOCKING, FileFlags.loss(device));
        device.close();
    }

    @Test
    void nonBlocking() throws IOException {
        FileDescriptor event = Native.newEventFd();

        assertNull(FileFlags.loss(event));
        event.close();
    }

    @Test
    void socket() throws IOException {
        Socket socket = Socket.newSocketStream();

        assertNull(FileFlags.loss(socket));
        assertNull(FileFlags.loss(new FileDescriptor(socket.intValue())));
        socket.close();
    }

    @Test
    void closed() {
        assertNull(FileFlags.loss(new FileDescriptor(1_000_000)));
    }

    /** Returns the one descriptor of this process that leads to a file. */
    private static FileDescriptor descriptorOf(Path path) throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(Files::exists)
                    .filter(link -> leadsTo(link, path))
                    .map(link -> new FileDescriptor(
                            Integer.parseInt(link.getFileName().toString())))
                    .findAny()
                    .orElseThrow();
        }
    }

    private static boolean leadsTo(Path link, Path path) {
        try {
            return Files.readSymbolicLink(link).equals(path);
        } catch (IOException e) {
            return false; // closed meanwhile
        }
    }
}
