package io.escrow.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Starts a daemon that outlives the process which starts it. */
public final class DaemonProcess {

    /** What a daemon announces when it listens, or stands by: no other line of its log begins so. */
    private static final List<String> READY = List.of("Listening on ", "Standing by for ");

    private static final String MESSAGE_JSON = "\"message\":\"";

    private static final Set<String> SYSTEMD =
            Set.of("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES");

    /** What a daemon, its launch script and Java may need of the environment; and what begins with {@code LC_}. */
    private static final Set<String> NEEDED = Set.of(
            "PATH",
            "HOME",
            "USER",
            "LOGNAME",
            "LANG",
            "LANGUAGE",
            "TZ",
            "TMPDIR",
            "LD_LIBRARY_PATH",
            "MALLOC_ARENA_MAX",
            "JAVA_HOME",
            "ESCROW_JAVA",
            "ESCROW_JAVA_OPTS");

    private DaemonProcess() {}

    /**
     * Starts a daemon in a session of its own (setsid(1)), so that no signal to its starter's terminal or process group
     * reaches it, and returns when it listens or stands by. It has the working directory and the environment of this process.
     *
     * @param command the daemon's command line
     * @return the daemon
     * @throws EscrowException with the last line that the daemon printed, if it ended instead of listening
     */
    public static Process start(List<String> command) throws EscrowException {
        return start(command, null, false);
    }

    /**
     * Starts a daemon as {@link #start(List)} does, that has nothing of this process: neither its working directory, whose
     * file system could not be unmounted, nor its environment, which may have secrets, and options for this Java.
     *
     * @param command the daemon's command line
     * @param directory its working directory
     * @param verbose whether to go on printing on stderr what the daemon prints there, as long as this process lives
     * @return the daemon
     * @throws EscrowException with the last line that the daemon printed, if it ended instead of listening
     */
    public static Process startApart(List<String> command, Path directory, boolean verbose) throws EscrowException {
        return start(command, directory, verbose);
    }

    private static boolean isNeeded(String variable) {
        return NEEDED.contains(variable) || variable.startsWith("LC_");
    }

    private static Process start(List<String> command, Path directory, boolean verbose) throws EscrowException {
        List<String> detached = new ArrayList<>();
        detached.add("setsid");
        detached.addAll(command);
        Process process;
        try {
            ProcessBuilder builder = new ProcessBuilder(detached)
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(Redirect.DISCARD);
            // These variables are meant for the starter: the daemon would report to systemd in its place.
            builder.environment().keySet().removeAll(SYSTEMD);
            if (directory != null) {
                builder.directory(directory.toFile());
                builder.environment().keySet().removeIf(variable -> !isNeeded(variable));
            }
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
        String last = "it printed nothing";
        try {
            for (String line = stderr.readLine(); line != null; line = stderr.readLine()) {
                if (isReady(line)) {
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

    private static boolean isReady(String line) {
        return READY.stream()
                .anyMatch(sign -> line.startsWith("{") ? line.contains(MESSAGE_JSON + sign) : line.startsWith(sign));
    }

    private static void closeQuietly(BufferedReader reader) {
        try {
            reader.close();
        } catch (IOException e) {
            // Nothing is lost: the daemon's output is not read any more.
        }
    }
}
