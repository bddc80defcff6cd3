package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.escrow.handover.seal.Sealer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Looks for keys in dumps of the heap. */
class WipedKeysTest extends HandoverHarness {

    private static final long SEED = 14;

    /** Makes the key anew each time, so that nobody keeps it for this test. */
    private static byte[] key() {
        byte[] key = new byte[32];
        new Random(SEED).nextBytes(key);
        return key;
    }

    private SealKeys keyFile() throws IOException {
        Path file = directory.resolve("seal.key");
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(file, HexFormat.of().formatHex(key()));
        return SealKeys.file(file);
    }

    /** Returns whether the key is in what would be left of the heap by the garbage collector. */
    private boolean isInHeap() throws IOException {
        Path dump = directory.resolve("heap.hprof");
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(dump.toString(), true);
        try (InputStream in = new BufferedInputStream(Files.newInputStream(dump), 1 << 20)) {
            return contains(in, key());
        } finally {
            Files.delete(dump);
        }
    }

    /** The first byte of what is looked for must not come again in it. */
    private static boolean contains(InputStream in, byte[] wanted) throws IOException {
        int matched = 0;
        for (int next = in.read(); next >= 0; next = in.read()) {
            matched = (byte) next == wanted[matched] ? matched + 1 : (byte) next == wanted[0] ? 1 : 0;
            if (matched == wanted.length) {
                return true;
            }
        }
        return false;
    }

    @Test
    void sealKeyOfAFileIsGoneAfterTheHandover() throws Exception {
        ServerHandover server = start(echoServer().seal(keyFile()));
        try (Peer peer = connect()) {
            peer.assertEchoes(new byte[] {1});
            assertTrue(isInHeap());
            assertEquals(1, handOver(server).connections());
            assertFalse(isInHeap());
        }
        // The escrow is to be empty at the end.
        start(echoServer().seal(SealKeys.of(key())));
    }

    @Test
    void sealKeyOfAFileIsGoneWhenTheServerIsClosed() throws Exception {
        ServerHandover server = start(echoServer().seal(keyFile()));
        server.close();
        assertFalse(isInHeap());
    }

    @Test
    void nothingIsSealedWithAKeyThatWasOverwritten() throws Exception {
        SealKeys keys = SealKeys.of(key());
        ServerHandover server = start(echoServer().seal(keys));
        Sealer sealer = server.context().seal().sealer();
        byte[] sealed = sealer.seal("gate", new byte[3], new byte[8]);
        handOver(server);
        assertTrue(sealer.isSealing(), "nothing may be taken for what need not be sealed");
        assertThrows(IllegalStateException.class, () -> sealer.seal("gate", new byte[3], new byte[8]));
        assertThrows(IllegalStateException.class, () -> sealer.open("gate", sealed, new byte[8]));
        // What the user has given is still his.
        start(echoServer().seal(keys));
    }
}
