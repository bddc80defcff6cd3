package io.escrow.handover.connection;

import io.netty.channel.Channel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps which connections of a server are in the middle of something, for the process behind a crash, in memory that outlives
 * this process: a file without a name, of which the escrow has a descriptor. A mark is one store, without a system call. RECORDS.md
 * has the layout. May be used by any thread.
 */
public final class CrashMarks implements AutoCloseable {

    /** The first eight bytes of the file. */
    static final long MAGIC = 0x4553_434D_4152_4B31L; // ESCMARK1

    /** The size of an entry: a cache line, so that event loops do not get into each other's way. The first one is the header. */
    static final int ENTRY = 64;

    /** Where the header has the length of what is used. */
    static final int LENGTH = Long.BYTES;

    /** Where the header has {@link #LIVING}. */
    static final int LIFE = 2 * Long.BYTES;

    /** Says that the process has a lock on the first byte for as long as it lives. */
    static final long LIVING = 1;

    /** Where an entry has its state, behind the cookie. */
    static final int STATE = Long.BYTES;

    /** Where an entry of a TLS connection has the number of its keys, and where it is with them: all of it valid at rest only. */
    static final int GENERATION = 2 * Long.BYTES;

    static final int READS = 3 * Long.BYTES;
    static final int WRITES = 4 * Long.BYTES;
    static final int CONSUMED = 5 * Long.BYTES;
    static final int WRITTEN = 6 * Long.BYTES;

    static final long AT_REST = 0;
    static final long IN_THE_MIDDLE = 1;

    /** As many connections as a process of Linux may have descriptors unless it is told otherwise. */
    private static final int CAPACITY = 1 << 20;

    private static final int PAGE = 1 << 12;
    private static final VarHandle LONG = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final Logger logger = LoggerFactory.getLogger(CrashMarks.class);

    private final FileDescriptor descriptor;
    private final FileChannel file;
    private final MappedByteBuffer memory;
    private final Deque<Integer> free = new ArrayDeque<>();
    private int end = ENTRY;
    private boolean full;

    private CrashMarks(FileDescriptor descriptor, FileChannel file) throws IOException {
        this.descriptor = descriptor;
        this.file = file;
        fill(0);
        this.memory = file.map(FileChannel.MapMode.READ_WRITE, 0, (long) CAPACITY * ENTRY);
        LONG.setRelease(memory, LIFE, lock() ? LIVING : 0);
        LONG.setRelease(memory, 0, MAGIC);
        LONG.setRelease(memory, LENGTH, (long) end);
    }

    /**
     * Locks the file, so that the next process can tell whether this one has died. The lock ends with the process, or when this closes
     * any descriptor of the file.
     */
    private boolean lock() {
        try {
            return file.tryLock(0, 1, false) != null;
        } catch (IOException e) {
            logger.warn(
                    "TLS connections end with a reset if the server crashes: the file of marks can't be locked: {}",
                    e.getMessage());
            return false;
        }
    }

    /** Returns where the file is made if nobody has said: {@code /dev/shm}, or else the directory of temporary files. */
    public static Path defaultDirectory() {
        Path shared = Path.of("/dev/shm");
        return Files.isDirectory(shared) && Files.isWritable(shared)
                ? shared
                : Path.of(System.getProperty("java.io.tmpdir"));
    }

    /**
     * Makes the memory of a server.
     *
     * @param directory where the file is made; at once it has no name any more
     */
    public static CrashMarks create(Path directory) throws IOException {
        Set<PosixFilePermission> owner = PosixFilePermissions.fromString("rw-------");
        Path path = Files.createTempFile(directory, "escrow-", ".marks", PosixFilePermissions.asFileAttribute(owner));
        FileDescriptor descriptor = null;
        FileChannel file = null;
        try {
            descriptor = FileDescriptor.from(path.toFile());
            file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
            return new CrashMarks(descriptor, file);
        } catch (Throwable e) {
            if (file != null) {
                file.close();
            }
            if (descriptor != null) {
                descriptor.close();
            }
            throw e;
        } finally {
            Files.delete(path);
        }
    }

    /** Writes a page of zeros: what is not there when it is stored to would be a fault of the process. */
    private void fill(int position) throws IOException {
        ByteBuffer zeros = ByteBuffer.allocate(PAGE);
        while (zeros.hasRemaining()) {
            file.write(zeros, position + zeros.position());
        }
    }

    /** Returns the descriptor for the escrow, which this object owns. */
    public FileDescriptor descriptor() {
        return descriptor;
    }

    /**
     * Adds a connection, which is at rest. Its place is another one's when its channel is closed.
     *
     * @param channel an open channel
     * @return where its mark is; {@code null} if there is no room: then the process behind a crash takes it for marked
     */
    Mark add(Channel channel) {
        try {
            long cookie = SocketCookie.number((UnixChannel) channel);
            Mark mark = new Mark(take());
            // Whatever happens between two of these, the connection is not taken for one at rest.
            mark.set(true);
            LONG.setRelease(memory, mark.position + GENERATION, 0L);
            LONG.setRelease(memory, mark.position, cookie);
            mark.set(false);
            // However it ends: also before its pipeline is built.
            channel.closeFuture().addListener(f -> free(mark.position));
            return mark;
        } catch (IOException e) {
            logger.debug("{} can't be marked: {}", channel, e.getMessage());
            return null;
        }
    }

    /** Lets another connection have a place: no other socket has the cookie in it. */
    private synchronized void free(int position) {
        free.push(position);
    }

    private synchronized int take() throws IOException {
        if (!free.isEmpty()) {
            return free.pop();
        }
        try {
            if (end == CAPACITY * ENTRY) {
                throw new IOException("there are " + (CAPACITY - 1) + " connections already");
            }
            if (end % PAGE == 0) {
                fill(end);
            }
        } catch (IOException e) {
            if (!full) {
                full = true;
                logger.warn(
                        "no room for the marks of more connections, which end with a reset if the server crashes: {}",
                        e.getMessage());
            }
            throw e;
        }
        int taken = end;
        end += ENTRY;
        LONG.setRelease(memory, LENGTH, (long) end);
        return taken;
    }

    /** Returns how many bytes of the file were ever used. */
    synchronized int length() {
        return end;
    }

    /** Closes the file; those who have marks may go on setting them. The escrow's descriptor stays. */
    @Override
    public void close() {
        // From now on nobody can tell whether this process lives.
        LONG.setVolatile(memory, LIFE, 0L);
        try (file) {
            descriptor.close();
        } catch (IOException e) {
            logger.debug("the file of marks was not closed: {}", e.getMessage());
        }
    }

    /** Is where a connection's mark is. */
    final class Mark {

        private final int position;

        private Mark(int position) {
            this.position = position;
        }

        /**
         * Marks the connection, or takes its mark away. By its event loop. There is nothing to wait for: the store is before all that
         * the loop does next, and when the process dies, the next one finds all stores that were made until then.
         */
        void set(boolean inTheMiddle) {
            LONG.setRelease(memory, position + STATE, inTheMiddle ? IN_THE_MIDDLE : AT_REST);
        }

        /** Takes the mark of a TLS connection away, when it says where the connection is. It must be set. */
        void rest(long generation, long reads, long writes, long consumed, long written) {
            LONG.setRelease(memory, position + GENERATION, generation);
            LONG.setRelease(memory, position + READS, reads);
            LONG.setRelease(memory, position + WRITES, writes);
            LONG.setRelease(memory, position + CONSUMED, consumed);
            LONG.setRelease(memory, position + WRITTEN, written);
            LONG.setRelease(memory, position + STATE, AT_REST);
        }
    }
}
