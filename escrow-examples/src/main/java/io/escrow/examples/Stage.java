package io.escrow.examples;

import io.escrow.daemon.main.Escrowd;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Holds what an example starts besides itself: processes and a directory for their socket. All of it goes when the
 * stage is closed, or this process ends before that, by Ctrl-C for instance.
 */
final class Stage implements AutoCloseable {

    /** As escrowd has them when its launcher or a client starts it, but for the archive. */
    static final List<String> DAEMON_OPTIONS =
            List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms8m", "-Xmn3m");

    private final Path directory;
    /** The youngest first, as they are to end. */
    private final Deque<ChildProcess> children = new ArrayDeque<>();

    private final Thread hook = new Thread(this::clear, "stage-hook");
    private boolean cleared;

    private Stage(Path directory) {
        this.directory = directory;
    }

    static Stage open() throws IOException {
        Stage stage = new Stage(Files.createTempDirectory("escrow-"));
        Runtime.getRuntime().addShutdownHook(stage.hook);
        return stage;
    }

    /** Returns the path of a file for the example's own use; removed with all others. */
    Path file(String name) {
        return directory.resolve(name);
    }

    /** Returns the path for the escrow's socket. */
    String socket() {
        return directory.resolve("escrow.sock").toString();
    }

    /** Starts a daemon, and waits until it listens. */
    ChildProcess startEscrowd(String... args) throws IOException, InterruptedException {
        return start("Listening on", DAEMON_OPTIONS, Escrowd.class, args);
    }

    /**
     * Starts a Java process on the class path of this one, and waits until it is ready.
     *
     * @param ready how the line begins that it prints when it is ready
     * @throws IOException with its last line when it ended instead
     */
    ChildProcess start(String ready, List<String> options, Class<?> main, String... args)
            throws IOException, InterruptedException {
        return start(
                ready,
                new File("/dev/null"),
                java(System.getProperty("java.class.path"), options, main.getName(), List.of(args)));
    }

    /** Returns the command line of a Java process. */
    static List<String> java(String classPath, List<String> options, String main, List<String> args) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        if (Runtime.version().feature() >= 24) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(List.of("-cp", classPath, main));
        command.addAll(args);
        return command;
    }

    /**
     * Starts a process, and waits until it is ready.
     *
     * @param ready how the line begins that it prints when it is ready
     * @param input what it has as its standard input
     * @throws IOException with its last line when it ended instead
     */
    ChildProcess start(String ready, File input, List<String> command) throws IOException, InterruptedException {
        ChildProcess child;
        synchronized (this) {
            if (cleared) {
                throw new IOException("the end came before this was started: " + String.join(" ", command));
            }
            Process process = new ProcessBuilder(command)
                    .redirectInput(input)
                    .redirectErrorStream(true)
                    .start();
            child = new ChildProcess(process, ready);
            children.push(child);
        }
        child.awaitReady();
        return child;
    }

    /** Ends all processes and removes the directory. */
    @Override
    public void close() {
        clear();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The hook runs already.
        }
    }

    private synchronized void clear() {
        if (cleared) {
            return;
        }
        cleared = true;
        children.forEach(ChildProcess::kill);
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                Files.delete(file);
            }
            Files.delete(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
