package io.escrow.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBufAllocator;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LeakGateTest {

    @TempDir
    Path directory;

    @Test
    void seesLeakedBuffer() throws InterruptedException {
        LeakGate.takeLeaks();

        leakBuffer();

        assertLeak("ByteBuf", LeakGate.takeLeaks());
    }

    @Test
    void seesLeakedDescriptor() throws IOException, InterruptedException {
        LeakGate.takeLeaks();
        TestFile file = new TestFile(directory, "a");

        int number = leakDescriptor(file);

        assertLeak("OwnedDescriptor", LeakGate.takeLeaks());
        new OwnedDescriptor(number).release();
    }

    @Test
    void seesNoLeakInWhatWasReleased() throws IOException, InterruptedException {
        LeakGate.takeLeaks();

        ByteBufAllocator.DEFAULT.directBuffer().release();
        new TestFile(directory, "a").openOwned().release();

        assertEquals(List.of(), LeakGate.takeLeaks());
    }

    // In methods of their own, so that no local variable keeps them alive.

    private static void leakBuffer() {
        ByteBufAllocator.DEFAULT.directBuffer().writeByte(1);
    }

    private static int leakDescriptor(TestFile file) throws IOException {
        return file.openOwned().intValue();
    }

    private static void assertLeak(String type, List<String> leaks) {
        assertEquals(1, leaks.size(), leaks::toString);
        assertTrue(leaks.get(0).startsWith(type), leaks.get(0));
    }
}
