package io.escrow.daemon.store;

import io.escrow.daemon.kernel.ProcDescriptors;
import io.escrow.daemon.kernel.SocketInfo;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * Ends connections that no process will serve any more: writes the farewell of each connection, if its send buffer has
 * room, and shuts the connection down. The peer reads the farewell and then the end of the stream. Never waits for a
 * peer.
 *
 * <p>Leaves connections alone that another process has open: that process may serve them without a session.
 */
final class FarewellWriter {

    // socket(7), x86_64 and aarch64
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDTIMEO = 21;

    private static final int DISCARD_BYTES = 64 * 1024;
    private static final int MAX_DISCARDS = 64;

    private final Set<String> others;
    private final ByteBuffer farewells;
    private final ByteBuffer unread = ByteBuffer.allocateDirect(DISCARD_BYTES);
    private final ByteBuffer shortestTime;
    private int told;
    private int untold;
    private int left;

    /**
     * Creates a writer.
     *
     * @param maxFarewell the length of the longest farewell
     * @param others the names of the sockets that other processes have open
     */
    FarewellWriter(int maxFarewell, Set<String> others) {
        this.others = others;
        this.farewells = ByteBuffer.allocateDirect(maxFarewell);
        // struct timeval: one microsecond, because 0 would mean no timeout.
        this.shortestTime = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder());
        shortestTime.putLong(0).putLong(1).flip();
    }

    /** Ends the connection in a slot, if there is one. The descriptor stays open. */
    void end(StoredSlot slot) {
        if (slot.descriptor() == null) {
            return;
        }
        String name = ProcDescriptors.name(slot.descriptor().intValue());
        if (!ProcDescriptors.isSocket(name)) {
            return;
        }
        if (!isConnection(slot.descriptor().intValue())) {
            return;
        }
        if (others.contains(name)) {
            left++;
            return;
        }
        Socket socket = new Socket(slot.descriptor().intValue());
        if (say(socket, slot.farewell())) {
            told++;
        } else {
            untold++;
        }
        end(socket);
    }

    private static boolean isConnection(int descriptor) {
        try {
            return new SocketInfo(descriptor).isConnection();
        } catch (IOException e) {
            return false; // Unknown kind of socket.
        }
    }

    /** Writes a farewell. Returns whether there was one and the kernel accepted all of it. */
    private boolean say(Socket socket, byte[] farewell) {
        if (farewell.length == 0) {
            return false;
        }
        try {
            // Most sockets are non-blocking, but another process may have changed that. With a timeout, such a write
            // ends soon, too.
            socket.setRawOpt(SOL_SOCKET, SO_SNDTIMEO, shortestTime.duplicate());
            farewells.clear().put(farewell);
            return socket.write(farewells, 0, farewell.length) == farewell.length;
        } catch (IOException e) {
            return false; // The peer has gone.
        }
    }

    private void end(Socket socket) {
        try {
            // With SO_LINGER, closing the socket would discard the farewell or wait for the peer.
            socket.setSoLinger(-1);
            socket.shutdown(true, true);
            // A socket that is closed with unread bytes sends a reset, which may overtake the farewell.
            int discarded = 1;
            for (int i = 0; i < MAX_DISCARDS && discarded > 0; i++) {
                discarded = socket.read(unread, 0, DISCARD_BYTES);
            }
        } catch (IOException e) {
            return; // The connection has already ended.
        }
    }

    /** Returns the number of connections that were ended with their whole farewell. */
    int told() {
        return told;
    }

    /** Returns the number of connections that were ended with no farewell or a part of it. */
    int untold() {
        return untold;
    }

    /** Returns the number of connections that were left to other processes. */
    int left() {
        return left;
    }
}
