package io.escrow.daemon.socket;

import io.escrow.daemon.config.Access;
import io.escrow.daemon.kernel.Accounts;
import io.escrow.daemon.kernel.PeerIdentity;

/**
 * Applies the rules of access to clients, directories and files.
 *
 * @param access the rules
 */
public record AccessCheck(Access access) {

    private static final int OWNER = 0600;
    private static final int WRITE_GROUP = 020;
    private static final int WRITE_OTHERS = 02;

    /** Returns whether a client may use the daemon. Its process number is not considered: it may be from another container. */
    public boolean allows(PeerIdentity client) {
        return client.isKnown()
                && (client.uid() == 0
                        || client.uid() == Accounts.ownUser()
                        || access.users().contains(client.uid())
                        || access.groups().contains(client.gid()));
    }

    /** Returns whether a process may take the place of the daemon: it runs as the daemon's user, or as root. */
    public boolean isOwner(PeerIdentity process) {
        return process.isKnown() && (process.uid() == 0 || process.uid() == Accounts.ownUser());
    }

    /** Returns whether a group may write to the directory of the socket. */
    boolean trustsGroup(int gid) {
        return gid == 0 || gid == Accounts.ownGroup() || access.groups().contains(gid);
    }

    /** Returns the permissions of the lock file: users that may connect may read it. */
    int lockFileMode() {
        return OWNER | ((access.mode() & WRITE_GROUP) != 0 ? 040 : 0) | ((access.mode() & WRITE_OTHERS) != 0 ? 04 : 0);
    }
}
