package io.escrow.daemon.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.testing.TestFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class StoreTest {

    private static final int LAST = Integer.MAX_VALUE;

    /** Four tags; at most 3 slots, 10 bytes and 2 descriptors. */
    private final Store store = new Store(4, new StoreLimits(3, 10, 2));

    @TempDir
    Path directory;

    private TestFile file;
    private TestFile other;

    @BeforeEach
    void makeFiles() throws IOException {
        file = new TestFile(directory, "a");
        other = new TestFile(directory, "b");
    }

    @AfterEach
    void closesEverything() throws IOException {
        store.close();
        assertEquals(0, file.openCount());
        assertEquals(0, other.openCount());
        assertEquals(0, store.slots());
    }

    @Test
    void takesASlotAsItIsThatHasTheNumberOfTheNextFilling() throws IOException {
        store.add(0, 0, payload(1));
        StoredSlot numbered = payload(1).filled(store.nextFilling());
        store.add(0, 1, numbered);
        store.add(0, 2, payload(1));

        assertEquals(1, store.get(0, 0).filling());
        assertSame(numbered, store.get(0, 1));
        assertEquals(2, numbered.filling());
        assertEquals(3, store.get(0, 2).filling());
    }

    @Test
    void returnsWhatWasAddedAndKeepsIt() throws IOException {
        StoredSlot slot = new StoredSlot(5, new byte[] {1, 2}, file.openOwned());
        store.add(3, LAST, slot);

        assertSame(slot.payload(), store.get(3, LAST).payload());
        assertSame(slot.descriptor(), store.get(3, LAST).descriptor());
        assertSame(store.get(3, LAST), store.get(3, LAST));
        assertEquals(1, file.openCount());
    }

    @Test
    void keepsTagsApart() throws IOException {
        store.add(0, 7, payload(1));
        store.add(1, 7, payload(2));

        assertEquals(1, store.get(0, 7).payload().length);
        assertEquals(2, store.get(1, 7).payload().length);
    }

    @Test
    void closesWhatWasReplaced() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[4], file.openOwned()));
        store.add(0, 0, new StoredSlot(6, new byte[3], other.openOwned()));

        assertEquals(0, file.openCount());
        assertEquals(1, other.openCount());
        assertEquals(new TagInfo(1, 1, 3), store.info(0));
    }

    @Test
    void closesDescriptorThatPayloadReplaces() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[4], file.openOwned()));
        store.add(0, 0, payload(1));

        assertEquals(0, file.openCount());
        assertNull(store.get(0, 0).descriptor());
    }

    @Test
    void closesWhatWasDeleted() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[4], file.openOwned()));
        store.delete(0, 0);

        assertEquals(0, file.openCount());
        assertEquals(new TagInfo(0, 0, 0), store.info(0));
        assertFails(Status.ENOENT, "Non-existent index in a GET request: 0/0", () -> store.get(0, 0));
    }

    @Test
    void leavesToOthersWhatTheyRetained() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[4], file.openOwned()));
        OwnedDescriptor retained = store.get(0, 0).descriptor().retain();
        store.delete(0, 0);

        assertEquals(1, file.openCount());
        retained.release();
    }

    @Test
    void updatesPayloadAndLeavesTheRest() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[4], file.openOwned()));
        store.update(0, 0, new byte[] {9}, null);

        StoredSlot slot = store.get(0, 0);
        assertArrayEquals(new byte[] {9}, slot.payload());
        assertEquals(5, slot.number());
        assertEquals(1, file.openCount());
        assertEquals(new TagInfo(1, 1, 1), store.info(0));
    }

    @Test
    void updatesFarewellOnlyWhenThereIsOne() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[2], new byte[] {1, 2, 3}, null));
        assertEquals(new TagInfo(1, 1, 5), store.info(0));

        store.update(0, 0, new byte[1], null);
        assertArrayEquals(new byte[] {1, 2, 3}, store.get(0, 0).farewell());
        assertEquals(new TagInfo(1, 1, 4), store.info(0));

        store.update(0, 0, new byte[1], new byte[] {4});
        assertArrayEquals(new byte[] {4}, store.get(0, 0).farewell());
        assertEquals(new TagInfo(1, 1, 2), store.info(0));

        store.delete(0, 0);
        assertEquals(new TagInfo(0, 0, 0), store.info(0));
    }

    @Test
    void countsFarewellAgainstPayloadBytes() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[4], new byte[6], null));

        assertFails(Status.ENOSPC, "10 of 10 payload bytes held", () -> store.add(0, 1, payload(1)));
        assertFails(Status.ENOSPC, "10 of 10 payload bytes held", () -> store.update(0, 0, new byte[4], new byte[7]));
        store.update(0, 0, new byte[4], new byte[5]);
        store.add(0, 1, payload(1));
    }

    @Test
    void saysThatSlotIsEmpty() throws IOException {
        store.add(0, 1, payload(0));

        assertFails(Status.ENOENT, "Non-existent index in a GET request: 0/0", () -> store.get(0, 0));
        assertFails(Status.ENOENT, "Non-existent index in a DEL request: 1/1", () -> store.delete(1, 1));
        assertFails(
                Status.ENOENT, "Non-existent index in a UPD request: 0/2", () -> store.update(0, 2, new byte[0], null));
    }

    @Test
    void refusesTagAndIndexOutOfRange() {
        String tag = "tag: 4 (expected: 0..3)";
        String index = "index: -1 (expected: 0..2147483647)";
        assertFails(Status.EINVAL, tag, () -> store.add(4, 0, payload(0)));
        assertFails(Status.EINVAL, tag, () -> store.get(4, 0));
        assertFails(Status.EINVAL, tag, () -> store.delete(4, 0));
        assertFails(Status.EINVAL, tag, () -> store.update(4, 0, new byte[0], null));
        assertFails(Status.EINVAL, tag, () -> store.info(4));
        assertFails(Status.EINVAL, tag, () -> store.list(4, 0, 1));
        assertFails(Status.EINVAL, index, () -> store.add(0, -1, payload(0)));
        assertFails(Status.EINVAL, index, () -> store.get(0, -1));
        assertFails(Status.EINVAL, index, () -> store.delete(0, -1));
        assertFails(Status.EINVAL, index, () -> store.update(0, -1, new byte[0], null));
        assertFails(Status.EINVAL, index, () -> store.list(0, -1, 1));
    }

    @Test
    void sumsUpTag() throws IOException {
        assertEquals(new TagInfo(0, 0, 0), store.info(0));
        store.add(0, 7, payload(2));
        store.add(0, LAST, payload(3));
        store.add(1, 0, payload(4));

        assertEquals(new TagInfo(2, 0x80000000L, 5), store.info(0));
    }

    @Test
    void listsByIndexInPages() throws IOException {
        store.add(0, LAST, payload(1));
        store.add(0, 7, new StoredSlot(5, new byte[2], file.openOwned()));
        store.add(0, 8, payload(3));

        assertEquals(List.of(new SlotInfo(0, 7, 2, true), new SlotInfo(0, 8, 3, false)), store.list(0, 0, 2));
        assertEquals(List.of(new SlotInfo(0, LAST, 1, false)), store.list(0, 9, 2));
        assertEquals(List.of(), store.list(1, 0, 2));
    }

    @Test
    void holdsNoMoreSlotsThanAllowed() throws IOException {
        for (int i = 0; i < 3; i++) {
            store.add(i, i, payload(0));
        }

        assertFails(Status.ENOSPC, "3 of 3 slots held", () -> store.add(0, 9, payload(0)));
        store.add(0, 0, payload(1));
        store.delete(0, 0);
        store.add(0, 9, payload(0));
        assertEquals(3, store.slots());
    }

    @Test
    void holdsNoMorePayloadThanAllowed() throws IOException {
        store.add(0, 0, payload(6));
        store.add(1, 1, payload(4));

        assertFails(Status.ENOSPC, "10 of 10 payload bytes held", () -> store.add(0, 9, payload(1)));
        assertFails(Status.ENOSPC, "10 of 10 payload bytes held", () -> store.add(1, 1, payload(5)));
        assertFails(Status.ENOSPC, "10 of 10 payload bytes held", () -> store.update(1, 1, new byte[5], null));
        store.add(0, 0, payload(5));
        store.update(1, 1, new byte[5], null);
        assertEquals(new TagInfo(1, 2, 5), store.info(1));
    }

    @Test
    void holdsNoMoreDescriptorsThanAllowed() throws IOException {
        store.add(0, 0, new StoredSlot(5, new byte[0], file.openOwned()));
        store.add(0, 1, new StoredSlot(5, new byte[0], file.openOwned()));
        OwnedDescriptor third = other.openOwned();
        StoredSlot slot = new StoredSlot(5, new byte[0], third);

        assertFails(Status.EMFILE, "2 of 2 descriptors held", () -> store.add(0, 2, slot));
        assertEquals(1, third.refCnt(), "still the caller's");
        store.add(0, 2, payload(0));
        store.add(0, 1, slot);
        assertEquals(1, file.openCount());
        assertEquals(1, other.openCount());
    }

    @Test
    void numbersFillings() throws IOException {
        store.add(0, 0, payload(1));
        store.add(1, 0, payload(1));
        assertEquals(1, store.get(0, 0).filling());
        assertEquals(2, store.get(1, 0).filling());
        store.update(0, 0, new byte[2], null);
        assertEquals(1, store.get(0, 0).filling());
        store.add(0, 0, payload(1));
        assertEquals(3, store.get(0, 0).filling());
    }

    @Test
    void keepsWhatItHoldsWhenReplacementIsRefused() throws IOException {
        StoredSlot slot = new StoredSlot(5, new byte[4], file.openOwned());
        store.add(0, 0, slot);

        assertFails(Status.ENOSPC, "4 of 10 payload bytes held", () -> store.add(0, 0, payload(11)));

        assertSame(slot.payload(), store.get(0, 0).payload());
        assertEquals(1, file.openCount());
        assertEquals(new TagInfo(1, 1, 4), store.info(0));
    }

    private static StoredSlot payload(int length) {
        return new StoredSlot(-1, new byte[length], null);
    }

    private static void assertFails(Status status, String text, Executable request) {
        EscrowException e = assertThrows(EscrowException.class, request);
        assertEquals(text, e.text());
        assertEquals(status, e.status());
    }
}
