package io.escrow.examples.process;

import io.escrow.daemon.main.Escrowd;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Starts processes, and makes a directory for their sockets and files. Closing this kills the processes and removes the
 * directory; so does the end of this process, for example by Ctrl-C.
 */
public final class ChildProcesses implements AutoCloseable {

    /** The options of Java with which the launcher starts escrowd, except for the archive of classes. */
    public static final List<String> DAEMON_OPTIONS = List.of(
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xms8m",
            "-XX:NewSize=3m",
            "-XX:MaxNewSize=6m",
            "-XX:MinHeapFreeRatio=20");

    /** How the line begins that escrowd prints when it is ready. */
    public static final String DAEMON_READY = "Listening on";

    private static final File NO_INPUT = new File("/dev/null");

    private final Path directory;
    /** The last one started comes first: the processes are ended in this order. */
    private final Deque<ChildProcess> children = new ArrayDeque<>();

    private final Thread hook = new Thread(this::clear, "end-children");
    private boolean cleared;
    private List<String> prefix = List.of();

    private ChildProcesses(Path directory) {
        this.directory = directory;
    }

    /** Makes the directory. */
    public static ChildProcesses open() throws IOException {
        ChildProcesses children = new ChildProcesses(Files.createTempDirectory("escrow-"));
        Runtime.getRuntime().addShutdownHook(children.hook);
        return children;
    }

    /** Returns the path of a file in the directory. */
    public Path file(String name) {
        return directory.resolve(name);
    }

    /** Returns the path of the escrow's socket, in the directory. */
    public String socket() {
        return file("escrow.sock").toString();
    }

    /** Has the processes that are started from now on run on the processors of servers. */
    public void runOn(Processors processors) {
        prefix = processors.prefix();
    }

    /** Starts a daemon, and waits until it listens. */
    public ChildProcess startEscrowd(String... args) throws IOException, InterruptedException {
        return start(DAEMON_READY, DAEMON_OPTIONS, Escrowd.class, args);
    }

    /**
     * Starts a Java process on the class path of this one, and waits until it is ready.
     *
     * @param ready how the line begins that the process prints when it is ready
     * @param options the options of Java
     * @throws IOException if the process ends before it is ready; the message has its last line
     */
    public ChildProcess start(String ready, List<String> options, Class<?> main, String... args)
            throws IOException, InterruptedException {
        return start(ready, Redirect.from(NO_INPUT), program(options, main, args));
    }

    /** Starts a Java process as the other method does, which reads what {@link ChildProcess#tell} says. */
    public ChildProcess startListening(String ready, List<String> options, Class<?> main, String... args)
            throws IOException, InterruptedException {
        return start(ready, Redirect.PIPE, program(options, main, args));
    }

    private List<String> program(List<String> options, Class<?> main, String... args) {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(
                java(options, List.of("-cp", System.getProperty("java.class.path"), main.getName()), List.of(args)));
        return command;
    }

    /**
     * Returns the command line of a Java process.
     *
     * @param options the options of Java
     * @param program what Java is to run: {@code -jar} and a file, or {@code -cp}, a class path and a class
     * @param args the arguments of the program
     */
    public static List<String> java(List<String> options, List<String> program, List<String> args) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        if (Runtime.version().feature() >= 24) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(program);
        command.addAll(args);
        return command;
    }

    /** Starts a process without input, and waits until it is ready, as the other methods do. */
    public ChildProcess start(String ready, List<String> command) throws IOException, InterruptedException {
        return start(ready, Redirect.from(NO_INPUT), command);
    }

    /**
     * Starts a process, and waits until it is ready.
     *
     * @param ready how the line begins that the process prints when it is ready
     * @param input the standard input of the process
     * @throws IOException if the process ends before it is ready; the message has its last line
     */
    public ChildProcess start(String ready, File input, List<String> command) throws IOException, InterruptedException {
        return start(ready, Redirect.from(input), command);
    }

    private ChildProcess start(String ready, Redirect input, List<String> command)
            throws IOException, InterruptedException {
        ChildProcess child;
        synchronized (this) {
            if (cleared) {
                throw new IOException(
                        "not started, because the processes are being ended: " + String.join(" ", command));
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

    /** Kills all processes, and removes the directory. */
    @Override
    public void close() {
        clear();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The hook is running already.
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
