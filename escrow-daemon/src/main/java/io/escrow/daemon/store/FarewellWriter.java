package io.escrow.daemon.store;

import io.escrow.daemon.kernel.ProcDescriptors;
import io.escrow.daemon.kernel.SocketInfo;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * Ends connections that nobody will serve any more: writes each one's farewell, if there is room for it, and shuts it
 * down, so that the peer reads the farewell and then the end. Never waits for a peer.
 *
 * <p>What another process has open is not ours to end: it may be served there, without a session.
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
     * Makes one.
     *
     * @param maxFarewell the length of the longest farewell
     * @param others the names of the sockets that other processes have open
     */
    FarewellWriter(int maxFarewell, Set<String> others) {
        this.others = others;
        this.farewells = ByteBuffer.allocateDirect(maxFarewell);
        // struct timeval: no seconds, one microsecond; none at all would mean for ever.
        this.shortestTime = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder());
        shortestTime.putLong(0).putLong(1).flip();
    }

    /** Takes leave of the peer of a slot, if it has one. The descriptor stays open. */
    void from(StoredSlot slot) {
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
            return false; // A socket that can't tell is none that we could end.
        }
    }

    /** Writes a farewell; returns whether there was one and all of it was taken. */
    private boolean say(Socket socket, byte[] farewell) {
        if (farewell.length == 0) {
            return false;
        }
        try {
            // Most are non-blocking, but another process may have changed that: then a write ends after a moment, too.
            socket.setRawOpt(SOL_SOCKET, SO_SNDTIMEO, shortestTime.duplicate());
            farewells.clear().put(farewell);
            return socket.write(farewells, 0, farewell.length) == farewell.length;
        } catch (IOException e) {
            return false; // The peer has gone.
        }
    }

    private void end(Socket socket) {
        try {
            // SO_LINGER would throw the farewell away when the socket is closed, or wait until the peer has it.
            socket.setSoLinger(-1);
            socket.shutdown(true, true);
            // Closed with unread bytes, a socket sends a reset, which may overtake the farewell.
            int discarded = 1;
            for (int i = 0; i < MAX_DISCARDS && discarded > 0; i++) {
                discarded = socket.read(unread, 0, DISCARD_BYTES);
            }
        } catch (IOException e) {
            return; // It had ended already.
        }
    }

    /** Returns how many connections were ended with their whole farewell. */
    int told() {
        return told;
    }

    /** Returns how many connections were ended with no farewell, or with a part of it. */
    int untold() {
        return untold;
    }

    /** Returns how many connections were left to other processes. */
    int left() {
        return left;
    }
}
