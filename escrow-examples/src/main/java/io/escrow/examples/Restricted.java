package io.escrow.examples;

import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Shows how a process uses a file that it may not open: a process that may open the file puts it into an escrow, and the
 * other process takes it out and reads it.
 */
@Command(
        name = "restricted",
        description =
                "Shows how a process uses a file that it may not open. If root runs this, that process runs as another user.",
        subcommands = {RestrictedPark.class, RestrictedUse.class})
final class Restricted implements Callable<Integer> {

    private static final int ROOT = 0;
    private static final String SECRET = "the combination is 4-8-15-16-23-42";

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--uid",
            paramLabel = "N",
            description =
                    "user who may not open the file, if root runs this; default: ${DEFAULT-VALUE}, which is nobody")
    private int uid = 65_534;

    @Override
    public Integer call() throws IOException, InterruptedException {
        int self = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        try (ChildProcesses children = ChildProcesses.open()) {
            ChildProcess daemon = children.startEscrowd(
                    "--mode=" + (self == ROOT ? "0666" : "0600"),
                    "--allow-user=" + (self == ROOT ? uid : self),
                    children.socket());
            print(daemon, self, "escrowd");

            Path secret = children.file("secret");
            Files.writeString(secret, SECRET + "\n");
            permit(secret, "rw-------");
            ChildProcess parking = start(children, List.of(), secret.toFile(), classPath(), "park");
            print(parking, self, parking.readyLine());

            ChildProcess using;
            if (self == ROOT) {
                // The other user may reach the socket, to which the daemon controls access, but not list the directory.
                permit(secret.getParent(), "rwx--x--x");
                using = start(children, setpriv(), new File("/dev/null"), copyOfClassPath(children), "use");
                print(using, uid, using.awaitLine(RestrictedUse.NOT_ALLOWED));
            } else {
                System.out.println(
                        "Not root, so both processes run as user " + self + ": the file is now closed to everybody");
                permit(secret, "---------");
                using = start(children, List.of(), new File("/dev/null"), classPath(), "use");
                print(using, self, using.awaitLine(RestrictedUse.NOT_ALLOWED));
            }
            print(using, self == ROOT ? uid : self, RestrictedUse.CONTENT + " " + using.readyLine());
        }
        return 0;
    }

    private List<String> setpriv() {
        return List.of("setpriv", "--reuid=" + uid, "--regid=" + uid, "--clear-groups");
    }

    /** Starts {@code restricted park} or {@code restricted use}, as another user if there is a prefix. */
    private ChildProcess start(
            ChildProcesses children, List<String> prefix, File input, String classPath, String command)
            throws IOException, InterruptedException {
        String examples = spec.root().userObject().getClass().getName();
        List<String> line = new ArrayList<>(prefix);
        line.addAll(ChildProcesses.java(
                List.of("-XX:+UseSerialGC"),
                List.of("-cp", classPath, examples),
                List.of("restricted", command, children.socket())));
        return children.start(command.equals("park") ? RestrictedPark.PARKED : SECRET, input, line);
    }

    private static String classPath() {
        return System.getProperty("java.class.path");
    }

    /** Copies the jar to a place where the other user may read it. */
    private static String copyOfClassPath(ChildProcesses children) throws IOException {
        Path jar = Path.of(classPath());
        if (!Files.isRegularFile(jar)) {
            return classPath();
        }
        Path copy = Files.copy(jar, children.file("examples.jar"));
        permit(copy, "rw-r--r--");
        return copy.toString();
    }

    private static void permit(Path path, String permissions) throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
    }

    private static void print(ChildProcess process, int user, String text) {
        System.out.println("process " + process.pid() + ", user " + user + ": " + text);
    }
}
