package io.escrow.daemon.kernel;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** Finds out which process has which socket open: {@code /proc/PID/fd}, proc(5). */
public final class ProcDescriptors {

    private static final String SOCKET = "socket:";
    private static final Path SELF = Path.of("/proc/self/fd");

    private ProcDescriptors() {}

    /**
     * Returns the names of the sockets of this process that other processes have open too, as far as this process may
     * see it.
     *
     * @param except the number of a process that is left out; 0 for none
     */
    public static Set<String> shared(int except) {
        Set<String> own = names(SELF, name -> true);
        Set<String> shared = new HashSet<>();
        // Only those: a machine may have far more sockets than this process has memory for.
        forEachOther(process -> {
            if (!process.endsWith(Integer.toString(except))) {
                shared.addAll(names(process.resolve("fd"), own::contains));
            }
        });
        return shared;
    }

    /** Returns the numbers of the other processes that have a socket open, as far as this process may see it. */
    public static List<Integer> holders(String name) {
        List<Integer> holders = new ArrayList<>();
        forEachOther(process -> {
            if (!names(process.resolve("fd"), name::equals).isEmpty()) {
                holders.add(Integer.valueOf(process.getFileName().toString()));
            }
        });
        return holders;
    }

    private static void forEachOther(Consumer<Path> visitor) {
        String self = Long.toString(ProcessHandle.current().pid());
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                if (!process.getFileName().toString().equals(self)) {
                    visitor.accept(process);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return; // A process that can't be seen is left out.
        }
    }

    private static Set<String> names(Path directory, Predicate<String> wanted) {
        Set<String> names = new HashSet<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(directory)) {
            for (Path descriptor : descriptors) {
                String name = name(descriptor);
                if (isSocket(name) && wanted.test(name)) {
                    names.add(name);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return names; // The process has ended, or belongs to another user.
        }
        return names;
    }

    public static boolean isSocket(String name) {
        return name.startsWith(SOCKET);
    }

    /** Returns the name of the socket with an inode number. */
    static String nameOf(String inode) {
        return SOCKET + "[" + inode + "]";
    }

    /** Returns the name of the open file of a descriptor of this process. The name is the same in every process. */
    public static String name(int descriptor) {
        return name(SELF.resolve(Integer.toString(descriptor)));
    }

    private static String name(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException e) {
            return ""; // closed meanwhile
        }
    }
}
