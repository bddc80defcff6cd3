package io.escrow.daemon.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.daemon.config.Access;
import io.escrow.daemon.kernel.Accounts;
import io.escrow.daemon.kernel.PeerIdentity;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AccessCheckTest {

    private static final int OWN = Accounts.ownUser();
    private static final int STRANGER = 54_321;
    private static final AccessCheck OWNER_ONLY = new AccessCheck(Access.OWNER_ONLY);

    @Test
    void letsItsOwnUserAndRootIn() {
        assertTrue(OWNER_ONLY.allows(new PeerIdentity(1, OWN, STRANGER)));
        assertTrue(OWNER_ONLY.allows(new PeerIdentity(0, 0, STRANGER)));
        assertFalse(OWNER_ONLY.allows(new PeerIdentity(1, STRANGER, 0)));
        assertFalse(OWNER_ONLY.allows(new PeerIdentity(1, STRANGER, Accounts.ownGroup())));
    }

    @Test
    void neverLetsInWhoIsNotKnown() {
        PeerIdentity unknown = PeerIdentity.of(new EmbeddedChannel());

        assertFalse(check(0666, Set.of(-1), Set.of(-1)).allows(unknown));
        assertEquals("unknown client", unknown.toString());
    }

    @Test
    void letsInWhoIsNamed() {
        AccessCheck access = check(0666, Set.of(STRANGER), Set.of(77));

        assertTrue(access.allows(new PeerIdentity(1, STRANGER, 1)));
        assertTrue(access.allows(new PeerIdentity(1, 1, 77)));
        assertFalse(access.allows(new PeerIdentity(STRANGER, 1, STRANGER)));
        assertFalse(access.allows(new PeerIdentity(77, 77, 1)));
    }

    @Test
    void letsThoseReadTheLockFileWhoMayConnect() {
        assertEquals(0600, OWNER_ONLY.lockFileMode());
        assertEquals(0640, check(0660, Set.of(), Set.of()).lockFileMode());
        assertEquals(0644, check(0666, Set.of(), Set.of()).lockFileMode());
        assertEquals(0600, check(0644, Set.of(), Set.of()).lockFileMode());
    }

    private static AccessCheck check(int mode, Set<Integer> users, Set<Integer> groups) {
        return new AccessCheck(new Access(mode, users, groups));
    }
}
