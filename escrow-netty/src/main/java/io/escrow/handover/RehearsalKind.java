package io.escrow.handover;

import io.escrow.handover.link.SocketPair;
import io.escrow.handover.tls.source.RehearsalTls;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;

/**
 * Describes the connections of a rehearsal.
 *
 * @param tls whether most of them have TLS
 * @param tcp whether they are of TCP; else they are UNIX-domain sockets
 */
record RehearsalKind(boolean tls, boolean tcp) {

    /** Returns the kind of the connections of a server. */
    static RehearsalKind of(HandoverConfiguration configuration) {
        return new RehearsalKind(configuration.movesTls(), configuration.hasTcp());
    }

    /** Returns this kind, without what is not possible in this process: TLS that moves, and TCP connections to itself. */
    RehearsalKind available() throws IOException {
        return new RehearsalKind(tls && RehearsalTls.isPossible(), tcp && hasLoopback());
    }

    private static boolean hasLoopback() throws IOException {
        // Loads the native library, if nothing else has.
        Epoll.ensureAvailability();
        SocketPair pair;
        try {
            pair = SocketPair.openTcp();
        } catch (IOException e) {
            HandoverLog.LOGGER.debug("a handover is rehearsed with UNIX-domain sockets", e);
            return false;
        }
        new FileDescriptor(pair.one()).close();
        new FileDescriptor(pair.other()).close();
        return true;
    }
}
