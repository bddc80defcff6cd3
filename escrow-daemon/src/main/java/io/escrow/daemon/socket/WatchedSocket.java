package io.escrow.daemon.socket;

import io.escrow.EscrowException;
import java.nio.file.Path;

/** A socket of the daemon whose file somebody may delete or replace. Used by the thread of {@link SocketWatch}. */
public interface WatchedSocket {

    /** Returns the path of the socket. */
    Path path();

    /** Returns whether clients find the socket at its path. */
    boolean isPublished();

    /**
     * Puts a socket at the path again.
     *
     * @throws EscrowException if it can't be put there, or something of another process is there
     */
    void publishAgain() throws EscrowException;
}
