package io.escrow.handover.connection;

import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Compares how many bytes a process has counted on TCP connections with what the kernel has: read are those that have come but for those
 * that wait in the socket, written are those that the peer has acknowledged and those that it has not. How many wait, the kernel tells
 * of all sockets at once only. May be used by any thread.
 */
final class KernelCounts {

    /** {@code IPPROTO_TCP} and {@code TCP_INFO} of Linux, and where in that the counts are. */
    private static final int LEVEL = 6;

    private static final int OPTION = 11;
    private static final int LENGTH = 232;
    private static final int ACKNOWLEDGED = 120;
    private static final int RECEIVED = 128;

    private static final List<Path> TABLES = List.of(Path.of("/proc/net/tcp"), Path.of("/proc/net/tcp6"));
    private static final int QUEUES_COLUMN = 4;
    private static final int INODE_COLUMN = 9;
    private static final String SOCKET = "socket:[";

    /** The table is read again when bytes have come or were acknowledged since: as often for one connection, and in all. */
    private static final int MOST_TRIES = 3;

    private static final int MOST_READINGS = 100;

    /** How many bytes wait in a socket: to be acknowledged, and to be read. */
    private record Queues(long unacknowledged, long unread) {}

    private Map<Long, Queues> queues;
    private int readings;

    /**
     * Returns how the kernel's counts differ from those of a process that has died; {@code null} if they do not.
     *
     * @param descriptor of a socket that nobody reads or writes
     */
    synchronized String difference(FileDescriptor descriptor, long consumed, long written) {
        try {
            String difference = queues == null ? "" : compare(descriptor, consumed, written);
            for (int tries = 0; difference != null && tries < MOST_TRIES && readings < MOST_READINGS; tries++) {
                queues = read();
                readings++;
                difference = compare(descriptor, consumed, written);
            }
            return difference;
        } catch (IOException | IndexOutOfBoundsException | NumberFormatException e) {
            return "the kernel does not tell how many bytes it has: " + e;
        }
    }

    private String compare(FileDescriptor descriptor, long consumed, long written) throws IOException {
        Queues waiting = queues.get(inode(descriptor));
        if (waiting == null) {
            return "the kernel does not list its socket in " + TABLES.get(0)
                    + ": it must be TCP, and of the same network namespace";
        }
        ByteBuffer info = ByteBuffer.allocate(LENGTH).order(ByteOrder.nativeOrder());
        new Socket(descriptor.intValue()).getRawOpt(LEVEL, OPTION, info);
        // What came or was acknowledged since the table was read makes both of these too high, never too low.
        long read = info.getLong(RECEIVED) - waiting.unread;
        long sent = info.getLong(ACKNOWLEDGED) + waiting.unacknowledged;
        return read == consumed && sent == written
                ? null
                : "its process had counted " + consumed + " bytes read and " + written + " written, the kernel " + read
                        + " and " + sent;
    }

    private static long inode(FileDescriptor descriptor) throws IOException {
        String link = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor.intValue()))
                .toString();
        return link.startsWith(SOCKET) ? Long.parseLong(link, SOCKET.length(), link.length() - 1, 10) : 0;
    }

    private static Map<Long, Queues> read() throws IOException {
        Map<Long, Queues> found = new HashMap<>();
        for (Path table : TABLES) {
            try {
                for (String line : Files.readAllLines(table, StandardCharsets.ISO_8859_1)) {
                    String[] columns = line.trim().split(" +", -1);
                    if (columns[0].endsWith(":")) {
                        String[] waiting = columns[QUEUES_COLUMN].split(":", -1);
                        found.put(
                                Long.parseLong(columns[INODE_COLUMN]),
                                new Queues(Long.parseLong(waiting[0], 16), Long.parseLong(waiting[1], 16)));
                    }
                }
            } catch (NoSuchFileException e) {
                // A kernel without IPv6 has one table.
            }
        }
        return found;
    }
}
