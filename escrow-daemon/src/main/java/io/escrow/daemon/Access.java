package io.escrow.daemon;

import java.util.Set;

/**
 * Says who may use a daemon, besides its own user and root.
 *
 * @param mode the permissions of the socket, as for chmod(2); whoever may not write to it can't connect at all
 * @param users the numbers of further users that are let in
 * @param groups the numbers of groups; those who run with one of them as their effective group are let in
 */
public record Access(int mode, Set<Integer> users, Set<Integer> groups) {

    /** The daemon's own user and root, and nobody else. */
    public static final Access OWNER_ONLY = new Access(0600, Set.of(), Set.of());

    private static final int OWNER = 0600;
    private static final int WRITE_GROUP = 020;
    private static final int WRITE_OTHERS = 02;

    /**
     * Checks the mode; an {@link IllegalArgumentException} names the value when it is out of range.
     *
     * @param mode 0600 to 0777; the owner may always read and write
     * @param users user numbers
     * @param groups group numbers
     */
    public Access {
        if ((mode & OWNER) != OWNER || (mode & ~0777) != 0) {
            throw new IllegalArgumentException("mode: " + Integer.toOctalString(mode)
                    + " (expected: 600..777, octal; the owner reads and writes)");
        }
        users = Set.copyOf(users);
        groups = Set.copyOf(groups);
    }

    /** Tells whether a client is let in. Its process number means nothing: it may be one of another container. */
    boolean allows(Peer peer) {
        return peer.isKnown()
                && (peer.uid() == 0
                        || peer.uid() == Accounts.ownUser()
                        || users.contains(peer.uid())
                        || groups.contains(peer.gid()));
    }

    /** Tells whether a group may do what it likes here. */
    boolean trustsGroup(int gid) {
        return gid == 0 || gid == Accounts.ownGroup() || groups.contains(gid);
    }

    /** Returns the permissions of the lock file: those who may connect may read it. */
    int lockFileMode() {
        return OWNER | ((mode & WRITE_GROUP) != 0 ? 040 : 0) | ((mode & WRITE_OTHERS) != 0 ? 04 : 0);
    }
}
