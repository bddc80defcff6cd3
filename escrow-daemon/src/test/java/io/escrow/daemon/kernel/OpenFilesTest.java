package io.escrow.daemon.kernel;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.daemon.TestFiles;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OpenFilesTest {

    @TempDir
    Path directory;

    /** Others open and close files at any time: the counts differ by what is asked for sooner or later. */
    @Test
    void countsWhatIsOpen() {
        await().until(() -> {
            int before = OpenFiles.now().open();
            try (TestFiles files = new TestFiles(directory, 7)) {
                return files.openCount() == 7 && OpenFiles.now().open() == before + 7;
            }
        });
    }

    @Test
    void knowsHowManyMayBeOpen() throws IOException {
        try (TestProcess shell = new TestProcess(new ProcessBuilder("sh", "-c", "ulimit -n"))) {
            assertEquals(0, shell.awaitExit());
            String limit = shell.lines().get(0);
            long expected = limit.equals("unlimited") ? Integer.MAX_VALUE : Long.parseLong(limit);

            assertEquals(expected, OpenFiles.now().allowed());
            assertTrue(OpenFiles.now().open() < expected);
        }
    }
}
