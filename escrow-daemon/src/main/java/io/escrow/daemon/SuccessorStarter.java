package io.escrow.daemon;

import io.escrow.EscrowException;
import java.nio.file.Path;

/** Starts a process that takes the place of a daemon. */
@FunctionalInterface
public interface SuccessorStarter {

    /**
     * Starts a process that takes over ({@code EscrowDaemon.takeOver}). May block; called by a thread of its own.
     *
     * @param jar the jar of the new program; {@code null} for that of this process
     * @return the process, which is killed if it does not take over in time
     * @throws EscrowException if it can't be started
     */
    Process start(Path jar) throws EscrowException;
}
