package io.escrow.handover.connection;

import io.netty.channel.Channel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads which connections other processes have left in the middle of something: the {@link CrashMarks} that are in the escrow. May be
 * used by any thread.
 */
public final class FoundMarks implements AutoCloseable {

    private static final String IN_THE_MIDDLE = "its process was in the middle of a message, or owed an answer";

    private static final Logger logger = LoggerFactory.getLogger(FoundMarks.class);

    private final List<FileDescriptor> files = new ArrayList<>();
    private Map<Long, Long> states;
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
        if (states == null) {
            read();
        }
        if (unreadable != null) {
            return "nobody can tell whether its process was in the middle of a message: " + unreadable;
        }
        try {
            Long state = states.get(SocketCookie.number((UnixChannel) channel));
            return state != null && state == CrashMarks.AT_REST ? null : IN_THE_MIDDLE;
        } catch (IOException e) {
            return "nobody can tell whether its process was in the middle of a message: " + e.getMessage();
        }
    }

    private void read() {
        states = new HashMap<>();
        for (FileDescriptor file : files) {
            try {
                read(file);
            } catch (IOException e) {
                unreadable = "its marks can't be read: " + e;
            }
        }
    }

    private void read(FileDescriptor descriptor) throws IOException {
        // The descriptor itself is for writing only.
        try (FileChannel file = FileChannel.open(Path.of("/proc/self/fd/" + descriptor.intValue()))) {
            ByteBuffer all =
                    file.map(FileChannel.MapMode.READ_ONLY, 0, file.size()).order(ByteOrder.nativeOrder());
            if (all.limit() < CrashMarks.ENTRY || all.getLong(0) != CrashMarks.MAGIC) {
                throw new IOException("this is no file of marks");
            }
            long length = Math.min(all.getLong(CrashMarks.LENGTH), all.limit());
            for (int at = CrashMarks.ENTRY; at < length; at += CrashMarks.ENTRY) {
                states.put(all.getLong(at), all.getLong(at + CrashMarks.STATE));
            }
        }
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
