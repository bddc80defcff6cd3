package io.escrow.daemon.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class AccountsTest {

    @Test
    void findsAccounts() throws IOException {
        assertEquals(Files.getAttribute(Path.of("/proc/self/status"), "unix:uid"), Accounts.ownUser());
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
