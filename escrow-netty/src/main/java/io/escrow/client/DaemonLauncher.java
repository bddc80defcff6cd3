package io.escrow.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Starts a daemon that outlives the process which starts it, and tells who holds the session of one that runs. */
public final class DaemonLauncher {

    /** The environment variable that names the daemon, a jar file or a program, when it is found nowhere else. */
    public static final String ENVIRONMENT = "ESCROWD";

    private static final String MAIN_CLASS = "io.escrow.daemon.Escrowd";
    private static final String READY = "Listening on ";
    private static final String READY_JSON = "\"message\":\"" + READY;

    /** For a process that is small and starts quickly, as the daemon's own launcher has them: docs/install.md. */
    static final List<String> SMALL = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms8m", "-Xmn3m");

    private static final Set<String> SYSTEMD =
            Set.of("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES");

    private DaemonLauncher() {}

    /** Starts a daemon as the options of a client say, and returns when it listens. */
    static void launch(EscrowClientBuilder options, Path path) throws EscrowException {
        List<String> command = new ArrayList<>(find(options.daemon));
        if (options.tags > 0) {
            command.add("--tags=" + options.tags);
        }
        if (options.force) {
            command.add("--force");
        }
        if (options.verbose) {
            command.add("--verbose");
        }
        command.add("--");
        command.add(path.toString());
        Process process = launch(command, options.verbose);
        if (options.verbose) {
            System.err.println("Starting escrowd (" + process.pid() + ").");
        }
    }

    /**
     * Starts a daemon in a session of its own (setsid(1)), so that no signal to its starter's terminal or process group
     * reaches it, and returns when it listens.
     *
     * @param command the daemon's command line
     * @param verbose whether to go on printing on stderr what the daemon prints there, as long as this process lives
     * @return the daemon
     * @throws EscrowException with the daemon's own words when it ended instead of listening
     */
    public static Process launch(List<String> command, boolean verbose) throws EscrowException {
        List<String> detached = new ArrayList<>();
        detached.add("setsid");
        detached.addAll(command);
        Process process;
        try {
            ProcessBuilder builder = new ProcessBuilder(detached)
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(Redirect.DISCARD);
            // What systemd has told the starter is not meant for the daemon, which would answer in its place.
            builder.environment().keySet().removeAll(SYSTEMD);
            process = builder.start();
        } catch (IOException e) {
            throw new EscrowException(
                    Status.EOPNOTSUPP, "escrowd could not be started (setsid, of util-linux, is needed): " + e, e);
        }
        BufferedReader stderr = process.errorReader(UTF_8);
        awaitListening(process, stderr);
        if (verbose) {
            Thread pump = new Thread(() -> stderr.lines().forEach(System.err::println), "escrowd-stderr");
            pump.setDaemon(true);
            pump.start();
        } else {
            closeQuietly(stderr);
        }
        return process;
    }

    private static void awaitListening(Process process, BufferedReader stderr) throws EscrowException {
        String last = "it said nothing";
        try {
            for (String line = stderr.readLine(); line != null; line = stderr.readLine()) {
                if (line.startsWith(READY) || (line.startsWith("{") && line.contains(READY_JSON))) {
                    return;
                }
                last = line;
            }
        } catch (IOException e) {
            last = e.toString();
        }
        closeQuietly(stderr);
        throw new EscrowException(
                Status.ECONNREFUSED, "escrowd (process " + process.pid() + ") ended before it listened: " + last);
    }

    private static void closeQuietly(BufferedReader reader) {
        try {
            reader.close();
        } catch (IOException e) {
            // Nothing is lost: the daemon's words are not wanted any more.
        }
    }

    /**
     * Finds the daemon: on the class path, else where the caller says, else where {@value #ENVIRONMENT} in the
     * environment says.
     *
     * @param given a jar file or a program, or {@code null}
     * @return the start of a command line
     * @throws EscrowException if it is nowhere
     */
    static List<String> find(Path given) throws EscrowException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>();
        command.add(java);
        command.addAll(SMALL);
        if (DaemonLauncher.class.getClassLoader().getResource(MAIN_CLASS.replace('.', '/') + ".class") != null) {
            if (Runtime.version().feature() >= 24) {
                command.add("--enable-native-access=ALL-UNNAMED");
            }
            command.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN_CLASS));
            return command;
        }
        String named = given == null ? System.getenv(ENVIRONMENT) : given.toString();
        if (named == null) {
            throw new EscrowException(
                    Status.ENOENT,
                    "escrowd not found: put escrow-daemon on the class path, name it as an option, or set "
                            + ENVIRONMENT + " to the path of escrowd.jar");
        }
        if (!Files.isReadable(Path.of(named))) {
            throw new EscrowException(Status.ENOENT, "escrowd not found: no readable file \"" + named + "\"");
        }
        if (!named.endsWith(".jar")) {
            return List.of(named);
        }
        command.addAll(archive(named));
        command.addAll(List.of("-jar", named));
        return command;
    }

    /** Names the class-data archive beside a jar, if there is one; without a word from Java when it does not fit. */
    private static List<String> archive(String jar) {
        Path archive = Path.of(jar.replaceFirst("\\.jar$", ".jsa"));
        return Files.isReadable(archive) ? List.of("-XX:SharedArchiveFile=" + archive, "-Xlog:cds=off") : List.of();
    }

    /** Returns the process number of the client whose session is on; 0 when it is not known. */
    static long holder(Path path) {
        try {
            List<String> lines = Files.readAllLines(SocketPath.lockFile(path), UTF_8);
            return lines.size() < 2 ? 0 : Long.parseLong(lines.get(1).trim());
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }
}
