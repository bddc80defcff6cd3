package io.escrow.examples;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * An escrow as a door: a process that may open a file leaves it there, and one that may not takes it out and reads it.
 */
@Command(
        name = "restricted",
        description =
                "Shows how a process uses a file that it may not open. Run by root, that process is another user's.",
        subcommands = {RestrictedPark.class, RestrictedUse.class})
final class Restricted implements Callable<Integer> {

    private static final int ROOT = 0;
    private static final String SECRET = "the combination is 4-8-15-16-23-42";

    @Option(
            names = "--uid",
            paramLabel = "N",
            description = "who may not open the file, when root runs this; default: ${DEFAULT-VALUE}, which is nobody")
    private int uid = 65_534;

    @Override
    public Integer call() throws IOException, InterruptedException {
        int self = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        try (Stage stage = Stage.open()) {
            ChildProcess daemon = stage.startEscrowd(
                    "--mode=" + (self == ROOT ? "0666" : "0600"),
                    "--allow-user=" + (self == ROOT ? uid : self),
                    stage.socket());
            say(daemon, self, "escrowd");

            Path secret = stage.file("secret");
            Files.writeString(secret, SECRET + "\n");
            permit(secret, "rw-------");
            ChildProcess parking = start(stage, List.of(), secret.toFile(), classPath(), "park");
            say(parking, self, parking.readyLine());

            ChildProcess using;
            if (self == ROOT) {
                // To the socket, which the daemon guards; nothing else in there may be read.
                permit(secret.getParent(), "rwx--x--x");
                using = start(stage, setpriv(), new File("/dev/null"), copyOfClassPath(stage), "use");
                say(using, uid, using.awaitLine(RestrictedUse.NOT_ALLOWED));
            } else {
                System.out.println("Not root, so user " + self + " is both: nobody may open the file from now on");
                permit(secret, "---------");
                using = start(stage, List.of(), new File("/dev/null"), classPath(), "use");
                say(using, self, using.awaitLine(RestrictedUse.NOT_ALLOWED));
            }
            say(using, self == ROOT ? uid : self, RestrictedUse.CONTENT + " " + using.readyLine());
        }
        return 0;
    }

    private List<String> setpriv() {
        return List.of("setpriv", "--reuid=" + uid, "--regid=" + uid, "--clear-groups");
    }

    private static ChildProcess start(Stage stage, List<String> prefix, File input, String classPath, String command)
            throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(prefix);
        List<String> arguments = List.of("restricted", command, stage.socket());
        line.addAll(Stage.java(classPath, List.of("-XX:+UseSerialGC"), Examples.class.getName(), arguments));
        return stage.start(command.equals("park") ? RestrictedPark.PARKED : SECRET, input, line);
    }

    private static String classPath() {
        return System.getProperty("java.class.path");
    }

    /** Puts the jar where another user may read it. */
    private static String copyOfClassPath(Stage stage) throws IOException {
        Path jar = Path.of(classPath());
        if (!Files.isRegularFile(jar)) {
            return classPath();
        }
        Path copy = Files.copy(jar, stage.file("examples.jar"));
        permit(copy, "rw-r--r--");
        return copy.toString();
    }

    private static void permit(Path path, String permissions) throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
    }

    private static void say(ChildProcess process, int user, String text) {
        System.out.println("process " + process.pid() + ", user " + user + ": " + text);
    }
}
