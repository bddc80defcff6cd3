package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.TestProcess;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A daemon whose code does not work any more ends at once, says why, and is in nobody's way. */
class FailingDaemonIT {

    private static final int FAILED = 3;

    @TempDir
    Path directory;

    private Path socket;

    @BeforeEach
    void nameSocket() {
        socket = directory.resolve("s");
    }

    /** Starts a daemon in which one class lacks all its methods. */
    private TestDaemon startWithout(String packageName, String className) throws IOException {
        Path source = directory.resolve(className + ".java");
        Files.writeString(source, "package " + packageName + "; public final class " + className + " {}");
        Path classes = Files.createDirectory(directory.resolve("classes"));
        assertEquals(
                0,
                ToolProvider.getSystemJavaCompiler()
                        .run(null, null, null, "--release", "17", "-d", classes.toString(), source.toString()));
        List<String> command = TestProcess.java(
                "-cp",
                classes + File.pathSeparator + TestDaemon.JAR,
                "io.escrow.daemon.main.Escrowd",
                socket.toString());
        return TestDaemon.start(socket, new ProcessBuilder(command));
    }

    private void assertFailed(TestDaemon daemon) throws IOException {
        assertEquals(FAILED, daemon.awaitExit(), () -> daemon.lines().toString());
        daemon.awaitLine(line -> line.contains("ERROR daemon failed"), "daemon failed");
        assertTrue(
                daemon.lines().stream().anyMatch(line -> line.contains("java.lang.NoSuchMethodError")),
                () -> daemon.lines().toString());
        assertFalse(Files.exists(socket));
    }

    @Test
    void inASession() throws IOException {
        try (TestDaemon daemon = startWithout("io.escrow.daemon.kernel", "ProgramNames")) {
            RawClient.connect(socket).close();
            assertFailed(daemon);
        }
        try (TestDaemon next = TestDaemon.start(directory)) {
            next.warmUp();
        }
    }

    @Test
    void whileItAnswersAnOperator() throws IOException {
        try (TestDaemon daemon = startWithout("io.escrow.daemon.kernel", "WaitingClients")) {
            TestProcess status = TestDaemon.run("ctl", "status", socket.toString());
            assertEquals(3, status.awaitExit());
            assertFailed(daemon);
        }
    }

    @Test
    void whileItCollectsWhatAnOperatorAsked() throws IOException {
        try (TestDaemon daemon = startWithout("io.escrow.daemon.control", "Metrics")) {
            TestProcess metrics = TestDaemon.run("ctl", "metrics", socket.toString());
            assertEquals(3, metrics.awaitExit());
            assertFailed(daemon);
        }
    }
}
