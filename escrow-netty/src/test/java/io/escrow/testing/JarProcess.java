package io.escrow.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs what is in the module's runnable jar, with a daemon in it. When it is closed, it is killed, and must not have told of
 * a leak.
 */
public final class JarProcess extends TestProcess {

    private static final String JAR = System.getProperty("example.jar");
    private static final String[] ARCHIVE = ClassDataArchive.options(JAR).toArray(String[]::new);
    private static final int PATIENCE_SECONDS = 150;

    private JarProcess(List<String> starter, List<String> arguments) throws IOException {
        this(starter, ARCHIVE, arguments);
    }

    private JarProcess(List<String> starter, String[] options, List<String> arguments) throws IOException {
        super(builder(starter, options, arguments), PATIENCE_SECONDS);
    }

    private static ProcessBuilder builder(List<String> starter, String[] options, List<String> arguments) {
        List<String> command = new ArrayList<>(starter);
        command.addAll(java(options));
        command.addAll(arguments);
        return new ProcessBuilder(command).redirectInput(new File("/dev/null"));
    }

    /** Runs an example. */
    public static JarProcess start(String... arguments) throws IOException {
        return start(List.of(), arguments);
    }

    /** Runs an example from a copy of the jar: from the copy alone, without an archive of its classes. */
    public static JarProcess fromCopy(Path jar, String... arguments) throws IOException {
        return fromCopy(List.of(), jar, arguments);
    }

    /** Does the same with options of Java. */
    public static JarProcess fromCopy(List<String> options, Path jar, String... arguments) throws IOException {
        List<String> all = new ArrayList<>(options);
        // Its classes come from the jar, too.
        all.addAll(List.of("-Descrow.rehearsal=true", "-jar", jar.toString()));
        all.addAll(List.of(arguments));
        return new JarProcess(List.of(), new String[0], all);
    }

    /** Returns the jar. */
    public static Path jar() {
        return Path.of(JAR);
    }

    /** Runs an example by way of another command, which becomes the example. */
    public static JarProcess start(List<String> starter, String... arguments) throws IOException {
        List<String> all = new ArrayList<>();
        if (List.of(arguments).contains("bench")) {
            // Most of the time would go into looking for leaks, and the same code is looked at elsewhere.
            all.add("-Dio.netty.leakDetection.level=disabled");
        }
        all.addAll(List.of("-jar", JAR));
        all.addAll(List.of(arguments));
        return new JarProcess(starter, all);
    }

    /** Runs a class of the tests, which finds what it needs in the jar. */
    public static JarProcess main(Class<?> main, String... arguments) throws IOException {
        return main(List.of(), main, arguments);
    }

    /** Runs a class of the tests that needs more than is in the jar: what some other classes come from. */
    public static JarProcess main(List<Class<?>> more, Class<?> main, String... arguments) throws IOException {
        return main(List.of(), more, main, arguments);
    }

    /** Runs such a class by way of another command, which becomes the process. */
    public static JarProcess main(List<String> starter, List<Class<?>> more, Class<?> main, String... arguments)
            throws IOException {
        StringBuilder path = new StringBuilder(JAR).append(File.pathSeparator).append(location(main));
        more.forEach(type -> path.append(File.pathSeparator).append(location(type)));
        List<String> all = new ArrayList<>(List.of("-cp", path.toString(), main.getName()));
        all.addAll(List.of(arguments));
        return new JarProcess(starter, all);
    }

    private static String location(Class<?> type) {
        return type.getProtectionDomain().getCodeSource().getLocation().getPath();
    }

    /** Runs the daemon, and returns when it listens. */
    public static JarProcess escrowd(Path socket, String... options) throws IOException {
        JarProcess daemon = launchEscrowd(socket, options);
        daemon.nextWith("Listening on");
        return daemon;
    }

    /** Runs another daemon, and returns when it would serve if the one that serves ended. */
    public static JarProcess standby(Path socket) throws IOException {
        JarProcess daemon = launchEscrowd(socket, "--standby");
        daemon.nextWith("Standing by for");
        return daemon;
    }

    private static JarProcess launchEscrowd(Path socket, String... options) throws IOException {
        List<String> all = new ArrayList<>(List.of("-cp", JAR, "io.escrow.daemon.main.Escrowd"));
        all.addAll(List.of(options));
        all.add(socket.toString());
        return new JarProcess(List.of(), all);
    }

    /** Lets an operator's command succeed, and returns what it printed. */
    public static List<String> escrowctl(String... arguments) throws IOException {
        List<String> all = new ArrayList<>(List.of("-cp", JAR, "io.escrow.daemon.main.Escrowd", "ctl"));
        all.addAll(List.of(arguments));
        try (JarProcess command = new JarProcess(List.of(), all)) {
            assertEquals(0, command.awaitExit(), () -> command.lines().toString());
            return command.lines();
        }
    }

    /** Runs an example that ends by itself, and returns what it printed. */
    public static List<String> run(int exitCode, String... arguments) throws IOException {
        try (JarProcess example = JarProcess.start(arguments)) {
            int actual = example.awaitExit();
            assertEquals(exitCode, actual, () -> example.lines().toString());
            return example.lines();
        }
    }

    /** Waits for the next line with a text in it. */
    public String nextWith(String text) {
        return nextLine(line -> line.contains(text), text);
    }

    /** Waits until a number of lines with a text in them have been printed. */
    public void awaitLines(String text, int count) {
        while (lines().stream().filter(line -> line.contains(text)).count() < count) {
            nextWith(text);
        }
    }

    /** Kills the process and those that it has started. */
    @Override
    public void kill() {
        descendants().forEach(ProcessHandle::destroyForcibly);
        super.kill();
    }

    @Override
    public void close() throws IOException {
        super.close();
        assertEquals(
                List.of(),
                lines().stream().filter(line -> line.contains("LEAK: ")).toList());
    }
}
