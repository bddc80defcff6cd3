package io.escrow.daemon.kernel;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** Looks up the names of running programs: {@code /proc/PID/cmdline}, proc(5). */
public final class ProgramNames {

    /** Options of the Java launcher whose value is the next argument. */
    private static final Set<String> WITH_VALUE = Set.of(
            "-cp",
            "-classpath",
            "--class-path",
            "-p",
            "--module-path",
            "--upgrade-module-path",
            "--add-modules",
            "--enable-native-access",
            "--add-exports",
            "--add-opens",
            "--add-reads",
            "--limit-modules",
            "--patch-module",
            "--source",
            "--describe-module",
            "-d");

    private static final Set<String> STARTS_WITH_NAME = Set.of("-jar", "-m", "--module");
    private static final int LONGEST = 100;
    private static final int MOST_BYTES = 64 * 1024;

    private ProgramNames() {}

    /**
     * Returns the name of a program without its arguments, which may be secret. For a Java program, returns its jar,
     * module or main class.
     *
     * @param pid the process number
     * @return the name; empty if it is not known
     */
    public static String name(int pid) {
        try (InputStream in = Files.newInputStream(Path.of("/proc/" + pid + "/cmdline"))) {
            String line = new String(in.readNBytes(MOST_BYTES), UTF_8);
            return name(List.of(line.split("\0", -1)));
        } catch (IOException e) {
            return ""; // The process has ended, is in another container, or belongs to a user that hides it.
        }
    }

    static String name(List<String> commandLine) {
        String program = file(commandLine.get(0));
        String name = program.equals("java") ? javaProgram(commandLine) : program;
        String printable = name.replaceAll("\\p{C}", "?");
        return printable.length() <= LONGEST ? printable : printable.substring(0, LONGEST);
    }

    private static String javaProgram(List<String> commandLine) {
        for (int i = 1; i < commandLine.size(); i++) {
            String argument = commandLine.get(i);
            if (STARTS_WITH_NAME.contains(argument) && i + 1 < commandLine.size()) {
                return file(commandLine.get(i + 1));
            } else if (WITH_VALUE.contains(argument)) {
                i++;
            } else if (!argument.startsWith("-") && !argument.startsWith("@")) {
                return argument;
            }
        }
        return "java";
    }

    private static String file(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }
}
