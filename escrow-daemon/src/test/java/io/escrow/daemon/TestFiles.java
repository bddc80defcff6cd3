package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.testing.TestProcess;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Open files, each of which can be told from the others by whoever gets a duplicate of its descriptor. */
public final class TestFiles implements AutoCloseable {

    static {
        Epoll.ensureAvailability();
    }

    private final Path directory;
    private final List<FileDescriptor> open = new ArrayList<>();

    /** Opens files 0 to count-1 of a directory, and makes them if need be. */
    public TestFiles(Path directory, int count) throws IOException {
        this.directory = Files.createDirectories(directory).toRealPath();
        for (int i = 0; i < count; i++) {
            Path file = file(i);
            if (!Files.exists(file)) {
                Files.createFile(file);
            }
            open.add(FileDescriptor.from(file.toFile()));
        }
    }

    Path directory() {
        return directory;
    }

    private Path file(int index) {
        return directory.resolve("f" + index);
    }

    FileDescriptor get(int index) {
        return open.get(index);
    }

    /** Returns the slots from one index to before another, with the file of their index in each. */
    Iterator<Deposit> deposits(int tag, int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> deposit(tag, i)).iterator();
    }

    /** Connects a client, and has it store the files before an index. */
    EscrowClient stored(EscrowClientBuilder builder, int tag, int count) throws EscrowException {
        EscrowClient client = builder.connect()
                .orTimeout(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS)
                .join();
        client.addAll(deposits(tag, 0, count))
                .orTimeout(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS)
                .join()
                .orThrow();
        return client;
    }

    Deposit deposit(int tag, int index) {
        return new Deposit(tag, index, get(index), payload(index));
    }

    /** Returns a payload that goes with a file. */
    static byte[] payload(int index) {
        return Integer.toString(index).getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    }

    /** Tells whether a descriptor of this process leads to the file of an index. */
    boolean is(int index, int descriptor) {
        return target(Path.of("/proc/self/fd/" + descriptor)).equals(file(index));
    }

    /** Closes an entry, and returns the index of the file whose descriptor it held, or -1 if it held none. */
    int fileOf(Entry entry) {
        try (entry) {
            if (!entry.hasDescriptor()) {
                return -1;
            }
            FileDescriptor taken = entry.takeDescriptor();
            Path target = target(Path.of("/proc/self/fd/" + taken.intValue()));
            close(taken);
            return IntStream.range(0, open.size())
                    .filter(i -> target.equals(file(i)))
                    .findFirst()
                    .orElseThrow(() -> new IllegalStateException("none of these files: " + target));
        }
    }

    /** Counts the descriptors of this process that lead to any of these files. */
    public long openCount() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(descriptor -> target(descriptor).startsWith(directory))
                    .count();
        }
    }

    private static Path target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor);
        } catch (NoSuchFileException e) {
            return Path.of(""); // closed meanwhile
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Takes the descriptor out of an entry and notes whether anything is not that of its index. */
    void check(Entry entry, List<String> wrong) {
        boolean right = java.util.Arrays.equals(payload(entry.index()), entry.payload()) && entry.hasDescriptor();
        if (right) {
            FileDescriptor taken = entry.takeDescriptor();
            right = is(entry.index(), taken.intValue());
            close(taken);
        }
        if (!right) {
            wrong.add(entry.toString());
        }
    }

    /** Checks that each used slot of a tag holds the file of its index, and returns how many there are. */
    int checkAll(BlockingEscrow escrow, int tag) throws EscrowException {
        List<String> wrong = new ArrayList<>();
        int slots = escrow.getAll(tag, entry -> {
                    try (entry) {
                        check(entry, wrong);
                    }
                })
                .orThrow()
                .succeeded();
        assertEquals(List.of(), wrong);
        return slots;
    }

    /** Takes the descriptor out of an entry, and fails if anything is not that of its index. */
    void check(Entry entry) {
        List<String> wrong = new ArrayList<>();
        check(entry, wrong);
        if (!wrong.isEmpty()) {
            throw new IllegalStateException("not what was stored: " + wrong);
        }
    }

    private static void close(FileDescriptor descriptor) {
        try {
            descriptor.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        open.forEach(TestFiles::close);
        open.clear();
    }
}
