package io.escrow.daemon.kernel;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.StringTokenizer;

/** Counts the clients that wait in the listen backlog: {@code /proc/net/unix}, unix(7). */
public final class WaitingClients {

    private static final Path TABLE = Path.of("/proc/self/net/unix");

    // Fields of a line; behind them comes the address.
    private static final int STATE = 5;
    private static final int INODE = 6;
    private static final String CONNECTING = "02";

    private WaitingClients() {}

    /**
     * Counts the clients that are connected but not accepted.
     *
     * @param address the address to which the listening socket was bound; no other socket has it
     * @return the number of clients, without those in other network namespaces
     */
    public static int at(String address) {
        // The names of other sockets can be any bytes.
        String wanted = " " + new String(address.getBytes(UTF_8), ISO_8859_1);
        int waiting = 0;
        try (BufferedReader lines = Files.newBufferedReader(TABLE, ISO_8859_1)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.endsWith(wanted) && waits(line.substring(0, line.length() - wanted.length()))) {
                    waiting++;
                }
            }
        } catch (IOException e) {
            return waiting; // This kernel has no such table.
        }
        return waiting;
    }

    /**
     * Returns whether a line is a connection that was not accepted: it has the listener's address, and no inode yet.
     */
    private static boolean waits(String line) {
        StringTokenizer fields = new StringTokenizer(line);
        if (fields.countTokens() != INODE + 1) {
            return false; // Only the end of the address matches.
        }
        String state = "";
        String inode = "";
        for (int i = 0; i <= INODE; i++) {
            String field = fields.nextToken();
            if (i == STATE) {
                state = field;
            } else if (i == INODE) {
                inode = field;
            }
        }
        return state.equals(CONNECTING) && inode.equals("0");
    }
}
