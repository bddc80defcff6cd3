package io.escrow.daemon;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** Looks up which process has which socket open: {@code /proc/PID/fd}, proc(5). */
final class OpenSockets {

    private static final String SOCKET = "socket:";

    private OpenSockets() {}

    /** Returns the names of the sockets that other processes have open, as far as this one may see them. */
    static Set<String> ofOtherProcesses() {
        Set<String> names = new HashSet<>();
        String self = Long.toString(ProcessHandle.current().pid());
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                if (!process.getFileName().toString().equals(self)) {
                    addNames(process.resolve("fd"), names);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return names; // What can't be seen counts as not there.
        }
        return names;
    }

    private static void addNames(Path directory, Set<String> names) {
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(directory)) {
            for (Path descriptor : descriptors) {
                String name = name(descriptor);
                if (isSocket(name)) {
                    names.add(name);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return; // It has ended, or belongs to somebody else.
        }
    }

    static boolean isSocket(String name) {
        return name.startsWith(SOCKET);
    }

    /** Returns the name of what a descriptor of this process leads to; the same one in every process. */
    static String name(int descriptor) {
        return name(Path.of("/proc/self/fd/" + descriptor));
    }

    private static String name(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException e) {
            return ""; // closed meanwhile
        }
    }
}
