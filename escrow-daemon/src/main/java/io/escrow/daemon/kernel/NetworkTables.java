package io.escrow.daemon.kernel;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringTokenizer;

/** Reads the kernel's tables of all sockets in a network namespace: proc_net_tcp(5), {@code /proc/self/net}. */
public final class NetworkTables {

    /**
     * Holds what waits in the queues of a socket.
     *
     * @param unread bytes that were received but not read; for a listener, connections that were not accepted
     * @param unsent bytes that the peer has not acknowledged
     */
    public record Queues(long unread, long unsent) {}

    private static final List<String> TABLES = List.of("tcp", "tcp6", "udp", "udp6");
    private static final Path DIRECTORY = Path.of("/proc/self/net");

    // Fields of a line.
    private static final int STATE = 3;
    private static final int QUEUES = 4;
    private static final int INODE = 9;

    // States of tcp(7) in which a queue counts a FIN as a byte: a received one, or one that was not acknowledged.
    private static final int CLOSE_WAIT = 0x08;
    private static final int LAST_ACK = 0x09;
    private static final int CLOSING = 0x0B;
    private static final int FIN_WAIT_1 = 0x04;

    private NetworkTables() {}

    /**
     * Returns the queues of all TCP and UDP sockets by the names that their descriptors have in {@code /proc/self/fd},
     * without the sockets of other network namespaces.
     */
    public static Map<String, Queues> queues() {
        Map<String, Queues> queues = new HashMap<>();
        for (String table : TABLES) {
            readTable(table, queues);
        }
        return queues;
    }

    private static void readTable(String table, Map<String, Queues> queues) {
        try (BufferedReader lines = Files.newBufferedReader(DIRECTORY.resolve(table), US_ASCII)) {
            lines.readLine(); // the names of the columns
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                read(line, queues);
            }
        } catch (IOException e) {
            return; // This kernel has no such protocol.
        }
    }

    static void read(String line, Map<String, Queues> queues) {
        StringTokenizer fields = new StringTokenizer(line);
        int state = 0;
        String sizes = "";
        for (int i = 0; fields.hasMoreTokens(); i++) {
            String field = fields.nextToken();
            if (i == STATE) {
                state = Integer.parseInt(field, 16);
            } else if (i == QUEUES) {
                sizes = field;
            } else if (i == INODE) {
                queues.put(ProcDescriptors.nameOf(field), queues(state, sizes));
                return;
            }
        }
    }

    private static Queues queues(int state, String sizes) {
        int colon = sizes.indexOf(':');
        long unsent = Long.parseLong(sizes, 0, colon, 16);
        long unread = Long.parseLong(sizes, colon + 1, sizes.length(), 16);
        boolean finReceived = state == CLOSE_WAIT || state == LAST_ACK || state == CLOSING;
        boolean finUnsent = state == FIN_WAIT_1 || state == LAST_ACK || state == CLOSING;
        return new Queues(Math.max(0, unread - (finReceived ? 1 : 0)), Math.max(0, unsent - (finUnsent ? 1 : 0)));
    }
}
