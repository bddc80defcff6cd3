package io.escrow.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/**
 * Makes a class-data archive beside a jar, with which Java loads the classes of the jar, and those of its own that a daemon
 * needs, in half the time. Tests start hundreds of processes.
 */
public final class ClassDataArchive {

    private static final String MAIN_CLASS = "io.escrow.daemon.main.Escrowd";
    private static final String CLASS = ".class";

    private ClassDataArchive() {}

    /**
     * Returns the options of Java that use the archive of a jar, which must be the first entry of the class path. Makes the
     * archive when there is none, or an older one. Java starts without an archive that does not fit.
     *
     * @param jar a jar with a daemon in it; {@code null} when the build has made none
     * @return the options
     */
    public static List<String> options(String jar) {
        if (jar == null) {
            return List.of();
        }
        Path archive = Path.of(jar.replaceFirst("\\.jar$", ".tests.jsa"));
        try (FileChannel channel = FileChannel.open(
                        archive.resolveSibling(archive.getFileName() + ".lock"),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            if (lock.isValid() && isOlder(archive, Path.of(jar))) {
                make(jar, archive);
            }
            return List.of("-XX:SharedArchiveFile=" + archive, "-Xlog:cds=off");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isOlder(Path archive, Path jar) throws IOException {
        return !Files.exists(archive)
                || Files.getLastModifiedTime(archive).compareTo(Files.getLastModifiedTime(jar)) <= 0;
    }

    private static void make(String jar, Path archive) throws IOException {
        Path work = Files.createTempDirectory("archive");
        Path classes = work.resolve("classes");
        Path made = archive.resolveSibling(archive.getFileName() + ".new");
        String socket = work.resolve("s").toString();
        run(List.of("-Xshare:off", "-XX:DumpLoadedClassList=" + classes, "-cp", jar, MAIN_CLASS, socket), true);
        Files.write(classes, classesOf(jar), StandardOpenOption.APPEND);
        run(
                List.of(
                        "-Xshare:dump",
                        "-XX:SharedClassListFile=" + classes,
                        "-XX:SharedArchiveFile=" + made,
                        "-cp",
                        jar),
                false);
        Files.move(made, archive, StandardCopyOption.ATOMIC_MOVE);
        Files.deleteIfExists(work.resolve("s.lock"));
        Files.delete(classes);
        Files.delete(work);
    }

    /** Returns the classes of a jar, as such a list names them. What a server needs that is no daemon is among them. */
    private static List<String> classesOf(String jar) throws IOException {
        try (JarFile file = new JarFile(jar)) {
            return file.stream()
                    .map(JarEntry::getName)
                    .filter(name -> name.endsWith(CLASS) && !name.startsWith("META-INF/"))
                    .map(name -> name.substring(0, name.length() - CLASS.length()))
                    .filter(name -> !name.endsWith("-info"))
                    .toList();
        }
    }

    private static void run(List<String> arguments, boolean listens) throws IOException {
        try (TestProcess process =
                new TestProcess(new ProcessBuilder(TestProcess.java(arguments.toArray(String[]::new))))) {
            if (listens) {
                process.awaitLine("Listening on");
                process.terminate();
            }
            process.awaitExit();
        }
    }
}
