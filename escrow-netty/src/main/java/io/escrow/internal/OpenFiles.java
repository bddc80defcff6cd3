package io.escrow.internal;

import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/** Finds out how near this process is to its limit of open files. */
public final class OpenFiles {

    private OpenFiles() {}

    /** Returns whether this process can open as many files just now; it opens and closes them. */
    public static boolean canOpen(int count) {
        List<FileDescriptor> opened = new ArrayList<>();
        try {
            while (opened.size() < count) {
                opened.add(FileDescriptor.from("/dev/null"));
            }
            return true;
        } catch (IOException full) {
            return false;
        } finally {
            opened.forEach(OpenFiles::close);
        }
    }

    private static void close(FileDescriptor descriptor) {
        try {
            descriptor.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
