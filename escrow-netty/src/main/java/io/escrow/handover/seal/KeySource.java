package io.escrow.handover.seal;

import io.escrow.EscrowException;
import java.util.List;

/** Gives the keys of a seal, as they are now. May block; used by the thread of a start or a handover. */
@FunctionalInterface
public interface KeySource {

    /**
     * Returns the keys.
     *
     * @return the current one, with which is sealed, and behind it those that are only accepted; empty if nothing is sealed. The
     *     caller destroys them
     * @throws EscrowException if they can't be had; the text never has bytes of a key in it
     */
    List<SealKey> load() throws EscrowException;
}
