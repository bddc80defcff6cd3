package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class AccessTest {

    private static final int OWN = Accounts.ownUser();
    private static final int STRANGER = 54_321;

    @Test
    void letsItsOwnUserAndRootIn() {
        assertTrue(Access.OWNER_ONLY.allows(new Peer(1, OWN, STRANGER)));
        assertTrue(Access.OWNER_ONLY.allows(new Peer(0, 0, STRANGER)));
        assertFalse(Access.OWNER_ONLY.allows(new Peer(1, STRANGER, 0)));
        assertFalse(Access.OWNER_ONLY.allows(new Peer(1, STRANGER, Accounts.ownGroup())));
    }

    @Test
    void neverLetsInWhoIsNotKnown() {
        Peer unknown = Peer.of(new EmbeddedChannel());

        assertFalse(new Access(0666, Set.of(-1), Set.of(-1)).allows(unknown));
        assertEquals("unknown client", unknown.toString());
    }

    @Test
    void letsInWhoIsNamed() {
        Access access = new Access(0666, Set.of(STRANGER), Set.of(77));

        assertTrue(access.allows(new Peer(1, STRANGER, 1)));
        assertTrue(access.allows(new Peer(1, 1, 77)));
        assertFalse(access.allows(new Peer(STRANGER, 1, STRANGER)));
        assertFalse(access.allows(new Peer(77, 77, 1)));
    }

    @Test
    void refusesModesThatShutTheOwnerOut() {
        for (int mode : new int[] {0, 0400, 0200, 066, 01600, -1}) {
            assertThrows(IllegalArgumentException.class, () -> new Access(mode, Set.of(), Set.of()));
        }
    }

    @Test
    void letsThoseReadTheLockFileWhoMayConnect() {
        assertEquals(0600, Access.OWNER_ONLY.lockFileMode());
        assertEquals(0640, new Access(0660, Set.of(), Set.of()).lockFileMode());
        assertEquals(0644, new Access(0666, Set.of(), Set.of()).lockFileMode());
        assertEquals(0600, new Access(0644, Set.of(), Set.of()).lockFileMode());
    }

    @Test
    void tellsLargeNumbersAsTheyAre() {
        assertEquals("uid 4294967294, gid 5, pid 0", new Peer(0, -2, 5).toString());
    }

    @Test
    void findsAccounts() throws IOException {
        assertEquals(Files.getAttribute(Path.of("/proc/self/status"), "unix:uid"), OWN);
        assertEquals(0, Accounts.user("root"));
        assertEquals(7, Accounts.user("7"));
        assertEquals(-2, Accounts.user("4294967294"));
        assertEquals(0, Accounts.group("root"));
        assertEquals(7, Accounts.group("7"));
        assertEquals(List.of(), Accounts.members("4294967294"));
    }

    @Test
    void saysThatThereIsNoSuchAccount() {
        assertFails("no such user: nobody-at-all", () -> Accounts.user("nobody-at-all"));
        assertFails("no such group: nobody-at-all", () -> Accounts.group("nobody-at-all"));
        assertFails(
                "number of a user or group: 4294967296 (expected: 0..4294967295)", () -> Accounts.user("4294967296"));
    }

    private static void assertFails(String text, Executable look) {
        assertEquals(text, assertThrows(IllegalArgumentException.class, look).getMessage());
    }
}
