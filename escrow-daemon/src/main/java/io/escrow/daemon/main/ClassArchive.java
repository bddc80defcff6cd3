package io.escrow.daemon.main;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The class-data archive that this Java virtual machine has mapped. A class that is in it needs no jar, however late it is
 * loaded.
 */
final class ClassArchive {

    /** What {@code make-archive} writes beside an archive: the classes of the jar that are not in it, one a line. */
    private static final String OUTSIDE = ".outside";

    private static final String ARCHIVE = ".jsa";

    /** Agents may ask for each class as it is in the jar, also if it is in the archive. */
    private static final List<String> AGENTS = List.of("-javaagent:", "-agentpath:", "-agentlib:");

    private static final List<String> OPTIONS = List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS");

    private ClassArchive() {}

    /**
     * Returns the names of the classes that are not in the archive; empty if there is no archive, if what it has is not
     * known, or if an agent is there.
     */
    static Optional<List<String>> outside() {
        try {
            String commandLine = Files.readString(Path.of("/proc/self/cmdline"), ISO_8859_1);
            Stream<String> given = Stream.concat(
                    Stream.of(commandLine),
                    OPTIONS.stream().map(name -> System.getenv().getOrDefault(name, "")));
            return given.anyMatch(options -> AGENTS.stream().anyMatch(options::contains))
                    ? Optional.empty()
                    : outside(Files.readAllLines(Path.of("/proc/self/maps"), ISO_8859_1));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Returns the same for the maps of a process without an agent, as they are in {@code /proc}. */
    static Optional<List<String>> outside(List<String> maps) throws IOException {
        for (String line : maps) {
            int path = line.indexOf('/');
            if (path >= 0 && line.endsWith(ARCHIVE)) {
                Path outside = Path.of(line.substring(path) + OUTSIDE);
                if (Files.isReadable(outside)) {
                    return Optional.of(Files.readAllLines(outside));
                }
            }
        }
        return Optional.empty();
    }
}
