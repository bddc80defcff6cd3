package io.escrow.daemon.kernel;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Counts the files that this process has open.
 *
 * @param open the number of open files
 * @param allowed the number of files that may be open, {@code ulimit -n}
 */
public record OpenFiles(int open, long allowed) {

    private static final Pattern LIMIT = Pattern.compile("Max open files +(\\w+)");

    /** Returns the counts of this moment. */
    public static OpenFiles now() throws EscrowException {
        return new OpenFiles(openNow(), allowedNow());
    }

    private static int openNow() {
        File directory = new File("/proc/self/fd");
        // Since Linux 6.2 the size of this directory is the number of descriptors.
        int size = (int) directory.length();
        if (size > 0) {
            return size;
        }
        String[] open = directory.list();
        // Without the descriptor with which the directory was read.
        return open == null ? 0 : open.length - 1;
    }

    /** Returns how many files may be open. */
    public static long allowedNow() throws EscrowException {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                Matcher soft = LIMIT.matcher(line);
                if (soft.lookingAt()) {
                    return soft.group(1).equals("unlimited") ? Integer.MAX_VALUE : Long.parseLong(soft.group(1));
                }
            }
            throw new EscrowException(Status.EOPNOTSUPP, "no limit of open files in /proc/self/limits");
        } catch (IOException e) {
            throw new EscrowException(Status.EIO, "/proc/self/limits can't be read: " + e, e);
        }
    }
}
