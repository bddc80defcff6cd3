package io.escrow.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.internal.DaemonProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Finds the daemon and starts it as a {@link DaemonLaunch} describes. */
final class DaemonLauncher {

    private static final String MAIN_CLASS = "io.escrow.daemon.main.Escrowd";

    /** A class that Netty 4.1 does not have. */
    private static final String NETTY_4_2 = "io.netty.channel.IoHandler";

    /** For a small process that starts quickly. The daemon's launch script has the same options. */
    static final List<String> SMALL = List.of(
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xms8m",
            "-XX:NewSize=3m",
            "-XX:MaxNewSize=6m",
            "-XX:MinHeapFreeRatio=20");

    /**
     * Has Java use its archives of classes where they were made for. By default it moves them to a random place, which makes
     * all of them memory of each process's own. A diagnostic option, which a later Java may not know: it would not start.
     */
    static final List<String> IN_PLACE = List.of("-XX:+UnlockDiagnosticVMOptions", "-XX:ArchiveRelocationMode=0");

    /** The last Java that is known to have those options. */
    static final int LAST_IN_PLACE = 25;

    private static final Path ROOT = Path.of("/");

    private DaemonLauncher() {}

    /** Starts a daemon, and returns when it listens. */
    static void launch(DaemonLaunch launch, boolean verbose, Path socket) throws EscrowException {
        ClassLoader loader = DaemonLauncher.class.getClassLoader();
        if (!has(loader, MAIN_CLASS) || !has(loader, NETTY_4_2)) {
            launch(new ArrayList<>(find(launch.from())), launch, verbose, socket);
            return;
        }
        try (DaemonCopy copy = DaemonCopy.make(loader)) {
            List<String> command = java();
            if (Runtime.version().feature() >= 24) {
                command.add("--enable-native-access=ALL-UNNAMED");
            }
            command.addAll(List.of("-cp", copy.classPath(), MAIN_CLASS));
            launch(command, launch, verbose, socket);
        }
    }

    private static boolean has(ClassLoader loader, String name) {
        return loader.getResource(name.replace('.', '/') + ".class") != null;
    }

    private static void launch(List<String> command, DaemonLaunch launch, boolean verbose, Path socket)
            throws EscrowException {
        if (launch.tags() > 0) {
            command.add("--tags=" + launch.tags());
        }
        if (launch.replacesDeadSocket()) {
            command.add("--force");
        }
        if (verbose) {
            command.add("--verbose");
        }
        command.add("--");
        Path absolute = socket.toAbsolutePath();
        Path directory = directory(absolute);
        command.add(
                directory.equals(ROOT)
                        ? absolute.toString()
                        : directory.relativize(absolute).toString());
        Process process = DaemonProcess.startApart(command, directory, verbose);
        if (verbose) {
            System.err.println("Starting escrowd (" + process.pid() + ").");
        }
    }

    /**
     * Returns the working directory of a daemon: {@code /}, as is customary; or that of its socket if the whole path, with that
     * of the control socket beside it, is longer than the path of a socket may be.
     */
    static Path directory(Path socket) {
        int length = SocketPath.control(socket).toString().getBytes(UTF_8).length;
        return length <= SocketPath.MAX_LENGTH ? ROOT : socket.getParent();
    }

    private static List<String> java() {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(SMALL);
        if (Runtime.version().feature() <= LAST_IN_PLACE) {
            command.addAll(IN_PLACE);
        }
        return command;
    }

    /**
     * Finds a daemon that is not on the class path, or can't run from there: where the caller says, else where {@value DaemonLaunch#ENVIRONMENT}
     * in the environment says.
     *
     * @param given a jar file or a program, or {@code null}
     * @return the start of a command line
     * @throws EscrowException if it is nowhere
     */
    static List<String> find(Path given) throws EscrowException {
        String name = given == null ? System.getenv(DaemonLaunch.ENVIRONMENT) : given.toString();
        if (name == null) {
            throw new EscrowException(
                    Status.ENOENT,
                    "escrowd not found: put escrow-daemon and Netty 4.2 on the class path, name it with DaemonLaunch.from, or set "
                            + DaemonLaunch.ENVIRONMENT + " to the path of escrowd.jar");
        }
        if (!Files.isReadable(Path.of(name))) {
            throw new EscrowException(Status.ENOENT, "escrowd not found: no readable file \"" + name + "\"");
        }
        // The daemon has another working directory.
        String named = Path.of(name).toAbsolutePath().toString();
        if (!named.endsWith(".jar")) {
            return List.of(named);
        }
        List<String> command = java();
        command.addAll(archive(named));
        command.addAll(List.of("-jar", named));
        return command;
    }

    /** Returns the options for the class-data archive beside a jar, if there is one. Java ignores one that does not fit. */
    private static List<String> archive(String jar) {
        Path archive = Path.of(jar.replaceFirst("\\.jar$", ".jsa"));
        return Files.isReadable(archive) ? List.of("-XX:SharedArchiveFile=" + archive, "-Xlog:cds=off") : List.of();
    }
}
