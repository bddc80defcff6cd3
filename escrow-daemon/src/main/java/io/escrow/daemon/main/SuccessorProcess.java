package io.escrow.daemon.main;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.daemon.SuccessorStarter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.jar.Manifest;

/**
 * Starts a new escrowd with the command line of this one, its environment, and its stderr, that takes over. The new one is
 * a child of this process: systemd lets only such a process become the service.
 */
final class SuccessorProcess implements SuccessorStarter {

    private static final String TAKEOVER = "--takeover";

    /** Options that mean something only at the first start. */
    private static final Set<String> FIRST_START = Set.of("-d", "--daemonise", "-f", "--force", TAKEOVER);

    private static final List<String> CLASS_PATH = List.of("-jar", "-cp", "-classpath", "--class-path");

    /** Variables that are meant for this process only. */
    private static final Set<String> OWN = Set.of("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID");

    private final int arguments;
    private final Path path;

    /**
     * Creates a starter.
     *
     * @param arguments how many arguments this process has
     * @param path the path of the socket
     */
    SuccessorProcess(int arguments, Path path) {
        this.arguments = arguments;
        this.path = path;
    }

    @Override
    public Process start(Path jar) throws EscrowException {
        checkProcess(ProcessHandle.current().pid());
        ProcessHandle.Info self = ProcessHandle.current().info();
        String[] all = self.arguments()
                .orElseThrow(() -> new EscrowException(Status.EIO, "/proc/self/cmdline is not readable"));
        List<String> command =
                command(self.command().orElseThrow(), List.of(all).subList(0, all.length - arguments), jar);
        command.addAll(options(List.of(all).subList(all.length - arguments, all.length), path));
        try {
            ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
            builder.environment().keySet().removeAll(OWN);
            return builder.start();
        } catch (IOException e) {
            throw new EscrowException(Status.EIO, "no new escrowd can be started: " + e.getMessage(), e);
        }
    }

    /** Checks that a successor would outlive this process. */
    static void checkProcess(long pid) throws EscrowException {
        if (pid == 1) {
            throw new EscrowException(
                    Status.EINVAL,
                    "escrowd is process 1 of its container, which would end with it, and the new escrowd, too: let the server"
                            + " run, and start the container anew");
        }
    }

    /** Returns the start of the command line, up to the options of escrowd. */
    static List<String> command(String java, List<String> before, Path jar) throws EscrowException {
        List<String> command = new ArrayList<>();
        command.add(java);
        command.addAll(before);
        if (jar == null) {
            return command;
        }
        check(jar);
        for (int i = 1; i < command.size() - 1; i++) {
            if (CLASS_PATH.contains(command.get(i))) {
                command.set(i + 1, jar.toString());
                return command;
            }
        }
        throw new EscrowException(
                Status.EINVAL,
                "escrowd does not run from a jar (expected: -jar among the arguments of Java): " + before);
    }

    private static void check(Path jar) throws EscrowException {
        if (!jar.isAbsolute() || !Files.isRegularFile(jar)) {
            throw new EscrowException(Status.ENOENT, "no such jar, as far as escrowd sees: \"" + jar + "\"");
        }
        try (JarFile file = new JarFile(jar.toFile())) {
            Manifest manifest = file.getManifest();
            if (manifest == null || manifest.getMainAttributes().getValue(Attributes.Name.MAIN_CLASS) == null) {
                throw new EscrowException(Status.EINVAL, "no program: \"" + jar + "\" (expected: the jar of escrowd)");
            }
        } catch (IOException e) {
            throw new EscrowException(Status.EINVAL, "not a jar that escrowd can read: \"" + jar + "\": " + e, e);
        }
    }

    /** Returns the options of the new process: those of this one, and the path, which may have come from elsewhere. */
    static List<String> options(List<String> given, Path path) {
        List<String> options = new ArrayList<>(List.of(TAKEOVER));
        boolean parsing = true;
        boolean named = false;
        for (String option : given) {
            if (parsing && FIRST_START.contains(option)) {
                continue;
            }
            parsing &= !option.equals("--");
            named |= option.equals(path.toString());
            options.add(option);
        }
        if (!named && System.getenv(SocketPath.ENVIRONMENT) == null) {
            options.add(path.toString());
        }
        return options;
    }
}
