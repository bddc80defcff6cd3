package io.escrow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EntryTest {

    @TempDir
    Path directory;

    private TestFile file;

    @BeforeEach
    void makeFile() throws IOException {
        file = new TestFile(directory, "a");
    }

    @Test
    void closesDescriptorOnce() throws IOException {
        Entry entry = new Entry(1, 7, 5, new byte[2], file.openOwned());

        entry.close();
        entry.close();

        assertEquals(0, file.openCount());
        assertFalse(entry.hasDescriptor());
    }

    @Test
    void givesDescriptorAway() throws IOException {
        Entry entry = new Entry(1, 7, 5, new byte[2], file.openOwned());
        assertTrue(entry.hasDescriptor());

        FileDescriptor taken = entry.takeDescriptor();
        entry.close();

        assertTrue(file.is(taken));
        assertFalse(entry.hasDescriptor());
        taken.close();
    }

    @Test
    void givesDescriptorAwayOnlyOnce() throws IOException {
        Entry entry = new Entry(1, 7, 5, new byte[2], file.openOwned());
        entry.takeDescriptor().close();

        Exception e = assertThrows(IllegalStateException.class, entry::takeDescriptor);
        assertTrue(e.getMessage().startsWith("slot 1/7 "), e.getMessage());
    }

    @Test
    void givesNoDescriptorAfterClose() throws IOException {
        Entry entry = new Entry(1, 7, 5, new byte[2], file.openOwned());
        entry.close();

        assertThrows(IllegalStateException.class, entry::takeDescriptor);
    }

    @Test
    void holdsPayloadWithoutDescriptor() {
        byte[] payload = {1, 2, 3};
        try (Entry entry = new Entry(1, 7, -1, payload, null)) {
            assertFalse(entry.hasDescriptor());
            assertThrows(IllegalStateException.class, entry::takeDescriptor);
            assertEquals(3, entry.payload().length);
            assertEquals("Entry{1/7, descriptor=none, payload=3 bytes}", entry.toString());
        }
    }
}
