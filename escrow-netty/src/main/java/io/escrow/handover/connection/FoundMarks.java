package io.escrow.handover.connection;

import io.netty.channel.Channel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads which connections other processes have left in the middle of something: the {@link CrashMarks} that are in the escrow. May be
 * used by any thread.
 */
public final class FoundMarks implements AutoCloseable {

    /** Where a TLS connection was when its process died. */
    record TlsMark(long generation, long reads, long writes, long consumed, long written) {}

    /** Why a TLS connection does not go on. */
    static final class NoMarkException extends Exception {
        private static final long serialVersionUID = 1;

        NoMarkException(String message) {
            super(message, null, false, false);
        }
    }

    /** One connection in one file; the mark of TLS is {@code null} if its process may still live. */
    private record Entry(long state, TlsMark tls) {}

    private static final String IN_THE_MIDDLE = "its process was in the middle of a message, or owed an answer";

    /** How long a process may take to end whose session has ended: the kernel closes its descriptors one by one. */
    private static final long DYING_MILLIS = 2_000;

    private static final Logger logger = LoggerFactory.getLogger(FoundMarks.class);

    private final List<FileDescriptor> files = new ArrayList<>();
    private Map<Long, Entry> entries;
    private Map<Long, Entry> entriesOfTheDead;
    private String unreadable;

    /**
     * Adds what a process has left.
     *
     * @param descriptor is owned by this object from now on. Of two files with a mark of one connection, the one that was added later
     *     counts
     */
    public synchronized void add(int descriptor) {
        files.add(new FileDescriptor(descriptor));
    }

    /**
     * Returns why a connection can't go on whose process has died; {@code null} if nothing is marked. The first call reads the
     * marks: no process may serve such a connection any more.
     */
    public synchronized String whyNotResumable(Channel channel) {
        if (files.isEmpty()) {
            return null;
        }
        if (entries == null) {
            entries = read(false);
        }
        if (unreadable != null) {
            return "nobody can tell whether its process was in the middle of a message: " + unreadable;
        }
        try {
            Entry entry = entries.get(SocketCookie.number((UnixChannel) channel));
            return entry != null && entry.state == CrashMarks.AT_REST ? null : IN_THE_MIDDLE;
        } catch (IOException e) {
            return "nobody can tell whether its process was in the middle of a message: " + e.getMessage();
        }
    }

    /**
     * Returns where a TLS connection was, whose process has certainly died. The first call waits for processes that are about to end,
     * for two seconds at most.
     *
     * @throws NoMarkException if that can't be told, or it was in the middle of something
     */
    synchronized TlsMark tls(FileDescriptor connection) throws NoMarkException {
        if (files.isEmpty()) {
            throw new NoMarkException("its process has left no marks");
        }
        if (entriesOfTheDead == null) {
            entriesOfTheDead = read(true);
        }
        if (unreadable != null) {
            throw new NoMarkException("nobody can tell where its TLS was: " + unreadable);
        }
        Entry entry;
        try {
            entry = entriesOfTheDead.get(SocketCookie.number(connection));
        } catch (IOException e) {
            throw new NoMarkException("nobody can tell where its TLS was: " + e.getMessage());
        }
        if (entry == null || entry.state != CrashMarks.AT_REST) {
            throw new NoMarkException(IN_THE_MIDDLE);
        }
        if (entry.tls == null) {
            throw new NoMarkException(
                    "nobody can tell whether its process has died, which could go on with its TLS keys");
        }
        return entry.tls;
    }

    private Map<Long, Entry> read(boolean ofTheDead) {
        Map<Long, Entry> found = new HashMap<>();
        for (FileDescriptor file : files) {
            try {
                read(file, ofTheDead, found);
            } catch (IOException e) {
                unreadable = "its marks can't be read: " + e;
            }
        }
        return found;
    }

    private static void read(FileDescriptor descriptor, boolean ofTheDead, Map<Long, Entry> found) throws IOException {
        // The descriptor itself is for writing only.
        Set<OpenOption> options =
                ofTheDead ? Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE) : Set.of(StandardOpenOption.READ);
        try (FileChannel file = FileChannel.open(Path.of("/proc/self/fd/" + descriptor.intValue()), options)) {
            ByteBuffer all =
                    file.map(FileChannel.MapMode.READ_ONLY, 0, file.size()).order(ByteOrder.nativeOrder());
            if (all.limit() < CrashMarks.ENTRY || all.getLong(0) != CrashMarks.MAGIC) {
                throw new IOException("this is no file of marks");
            }
            // Before anything is read of which it must be certain that it is the last.
            boolean dead = ofTheDead && all.getLong(CrashMarks.LIFE) == CrashMarks.LIVING && hasDied(file);
            dead = dead && all.getLong(CrashMarks.LIFE) == CrashMarks.LIVING;
            long length = Math.min(all.getLong(CrashMarks.LENGTH), all.limit());
            for (int at = CrashMarks.ENTRY; at < length; at += CrashMarks.ENTRY) {
                TlsMark tls = dead
                        ? new TlsMark(
                                all.getLong(at + CrashMarks.GENERATION),
                                all.getLong(at + CrashMarks.READS),
                                all.getLong(at + CrashMarks.WRITES),
                                all.getLong(at + CrashMarks.CONSUMED),
                                all.getLong(at + CrashMarks.WRITTEN))
                        : null;
                found.put(all.getLong(at), new Entry(all.getLong(at + CrashMarks.STATE), tls));
            }
        }
    }

    /** Returns whether the process has died that has locked a file as long as it lives. */
    private static boolean hasDied(FileChannel file) throws IOException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(DYING_MILLIS);
        do {
            try (FileLock lock = file.tryLock(0, 1, false)) {
                if (lock != null) {
                    return true;
                }
                TimeUnit.MILLISECONDS.sleep(2);
            } catch (OverlappingFileLockException sameProcess) {
                return false;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        } while (System.nanoTime() - end < 0);
        return false;
    }

    @Override
    public synchronized void close() {
        for (FileDescriptor file : files) {
            try {
                file.close();
            } catch (IOException e) {
                // The server that has started goes on all the same.
                logger.debug("a file of marks was not closed: {}", e.getMessage());
            }
        }
        files.clear();
    }
}
