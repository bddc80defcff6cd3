package io.escrow.daemon.config;

import java.util.Set;

/**
 * Names the users and groups that may use a daemon, besides the daemon's own user and root.
 *
 * @param mode the permissions of the socket, as for chmod(2); a user without write permission can't connect at all
 * @param users the numbers of further users that may use the daemon
 * @param groups the numbers of groups; a process whose effective group is one of them may use the daemon
 */
public record Access(int mode, Set<Integer> users, Set<Integer> groups) {

    /** Lets in the daemon's own user and root only. */
    public static final Access OWNER_ONLY = new Access(0600, Set.of(), Set.of());

    private static final int OWNER = 0600;

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
}
