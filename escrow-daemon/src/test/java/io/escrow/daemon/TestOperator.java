package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.control.Json;
import io.escrow.daemon.kernel.Accounts;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;

/** Runs the commands for operators, each in a process of its own. */
final class TestOperator {

    private static final int NOBODY = 65_534;

    private TestOperator() {}

    private static List<String> command(String... arguments) {
        List<String> command = TestDaemon.command("ctl");
        command.addAll(List.of(arguments));
        return command;
    }

    /** Begins a command. */
    static TestProcess start(String... arguments) throws IOException {
        return new TestProcess(new ProcessBuilder(command(arguments)));
    }

    /** Runs a command, and returns what it printed. */
    static List<String> run(int exitCode, String... arguments) throws IOException {
        return run(exitCode, new ProcessBuilder(command(arguments)));
    }

    /** Runs a command without a path, which it finds in the environment; its stdin is at its end. */
    static List<String> runAt(Path path, int exitCode, String... arguments) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command(arguments))
                .redirectInput(Path.of("/dev/null").toFile());
        builder.environment().put("ESCROW_PATH", path.toString());
        return run(exitCode, builder);
    }

    /** Runs a command as somebody who is neither root nor the user of the daemon; takes root, and a jar for everybody. */
    static List<String> runAsNobody(Path jar, int exitCode, String... arguments) throws IOException {
        List<String> command =
                new ArrayList<>(List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups"));
        command.addAll(TestProcess.java("-jar", jar.toString(), "ctl"));
        command.addAll(List.of(arguments));
        return run(exitCode, new ProcessBuilder(command));
    }

    /** Copies the jar to where everybody may read it; returns null if there is no such place, or this is not root. */
    static Path jarForNobody(Path directory) throws IOException {
        if (Accounts.ownUser() != 0
                || !Files.getPosixFilePermissions(directory.getParent()).contains(PosixFilePermission.OTHERS_EXECUTE)) {
            return null;
        }
        return Files.copy(Path.of(System.getProperty("escrowd.jar")), directory.resolve("escrowd.jar"));
    }

    private static List<String> run(int exitCode, ProcessBuilder builder) throws IOException {
        try (TestProcess process = new TestProcess(builder)) {
            assertEquals(exitCode, process.awaitExit(), () -> process.lines().toString());
            return process.lines();
        }
    }

    /** Runs a command that prints one object. */
    static <T> T read(Class<T> type, String... arguments) throws IOException {
        return Json.read(String.join("\n", run(0, arguments)), type);
    }

    /** Runs a command that prints an object in each line. */
    static <T> List<T> readLines(Class<T> type, String... arguments) throws IOException {
        return run(0, arguments).stream().map(line -> Json.read(line, type)).toList();
    }
}
