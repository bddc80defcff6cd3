package io.escrow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.IllegalReferenceCountException;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OwnedDescriptorTest {

    @TempDir
    Path directory;

    private TestFile file;
    private OwnedDescriptor descriptor;

    @BeforeEach
    void open() throws IOException {
        file = new TestFile(directory, "a");
        descriptor = file.openOwned();
    }

    @Test
    void closesWithTheLastRelease() throws IOException {
        assertEquals(2, descriptor.retain().refCnt());

        assertFalse(descriptor.release());
        assertEquals(1, file.openCount());
        assertTrue(descriptor.release());
        assertEquals(0, file.openCount());
        assertEquals(0, descriptor.refCnt());
    }

    @Test
    void countsSeveralAtOnce() throws IOException {
        descriptor.retain(4);

        assertFalse(descriptor.release(4));
        assertTrue(descriptor.release(1));
        assertEquals(0, file.openCount());
    }

    @Test
    void neverClosesTwice() {
        descriptor.release();

        assertThrows(IllegalReferenceCountException.class, descriptor::release);
        assertThrows(IllegalReferenceCountException.class, descriptor::release);
        assertEquals(0, descriptor.refCnt());
    }

    @Test
    void cannotBeRevived() {
        descriptor.release();
        assertThrows(IllegalReferenceCountException.class, descriptor::release);

        assertThrows(IllegalReferenceCountException.class, descriptor::retain);
        assertThrows(IllegalReferenceCountException.class, descriptor::detach);
    }

    @Test
    void staysOpenWhenDetached() throws IOException {
        FileDescriptor detached = descriptor.detach();

        assertTrue(file.is(detached));
        assertThrows(IllegalReferenceCountException.class, descriptor::release);
        assertTrue(file.is(detached));
        detached.close();
        assertEquals(0, file.openCount());
    }

    @Test
    void isNotDetachedWhileSomebodyElseHoldsIt() throws IOException {
        descriptor.retain();

        assertThrows(IllegalReferenceCountException.class, descriptor::detach);

        descriptor.release();
        descriptor.detach().close();
        assertEquals(0, file.openCount());
    }
}
