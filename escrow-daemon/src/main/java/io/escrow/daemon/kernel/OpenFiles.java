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
 * Tells how many files this process has open.
 *
 * @param open how many
 * @param allowed how many may be, {@code ulimit -n}
 */
public record OpenFiles(int open, long allowed) {

    private static final Pattern LIMIT = Pattern.compile("Max open files +(\\w+)");

    /** Counts them. */
    public static OpenFiles now() throws EscrowException {
        return new OpenFiles(openNow(), allowedNow());
    }

    private static int openNow() {
        File directory = new File("/proc/self/fd");
        // Linux tells that since 6.2; before, it has to look at each.
        int told = (int) directory.length();
        if (told > 0) {
            return told;
        }
        String[] open = directory.list();
        // One of them was open for the count only.
        return open == null ? 0 : open.length - 1;
    }

    /** Reads how many may be open. */
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
