package io.escrow.codec;

import io.netty.channel.ChannelException;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.StringJoiner;

/**
 * Finds what an open file loses when its descriptor is received. Netty's {@code recvFd} sets O_NONBLOCK by F_SETFL,
 * which replaces the flags of the open file for all processes that share it. Netty's sockets have that flag anyway, and
 * files on a disk ignore it. But O_APPEND is lost, and pipes, terminals and devices don't block any more. Only {@link
 * DescriptorRing} receives descriptors without that.
 */
final class FileFlags {

    private static final int O_NONBLOCK = 0004000;
    private static final int O_PATH = 010000000;

    /** The flags that F_SETFL can clear, without O_NONBLOCK. The numbers are those of x86_64 and aarch64. */
    private enum Lost {
        O_APPEND(0002000),
        O_ASYNC(0020000),
        O_DIRECT("aarch64".equals(System.getProperty("os.arch")) ? 0200000 : 0040000),
        O_NOATIME(01000000);

        final int bit;

        Lost(int bit) {
            this.bit = bit;
        }
    }

    private static final int TYPE_MASK = 0170000;
    private static final int DIRECTORY = 0040000;
    private static final int BLOCK_DEVICE = 0060000;
    private static final int FILE = 0100000;

    private FileFlags() {}

    /**
     * Returns whether this process can receive descriptors without changing the flags of their open files, which takes
     * io_uring, Netty 4.2, and its native library for io_uring. The first call loads that library.
     *
     * @return whether it can
     */
    static boolean canBeKept() {
        try {
            return DescriptorRing.isAvailable();
        } catch (NoClassDefFoundError e) {
            // Netty 4.1, or no netty-transport-classes-io_uring.
            return false;
        }
    }

    /**
     * Returns what a descriptor loses when Netty's {@code recvFd} receives it.
     *
     * @param descriptor the descriptor, which is left as it is
     * @return words that name the descriptor and what it loses; {@code null} if no process could notice the loss, or
     *     the descriptor is closed
     */
    static String loss(FileDescriptor descriptor) {
        int number = descriptor.intValue();
        if (isSocket(descriptor)) {
            return null;
        }
        try {
            int flags = flags(number);
            String loss = loss(flags, number);
            return loss == null ? null : "descriptor " + number + " (" + link(number) + ") " + loss;
        } catch (IOException e) {
            return null;
        }
    }

    private static String loss(int flags, int number) throws IOException {
        if ((flags & O_PATH) != 0) {
            return "was opened with O_PATH and can't be received";
        }
        StringJoiner lost = new StringJoiner(", ");
        for (Lost flag : Lost.values()) {
            if ((flags & flag.bit) != 0) {
                lost.add(flag.name());
            }
        }
        if (lost.length() > 0) {
            return "would lose " + lost + " for all processes that share it";
        }
        return (flags & O_NONBLOCK) != 0 || ignoresNonBlock(number)
                ? null
                : "would become non-blocking for all processes that share it";
    }

    /**
     * Returns whether a descriptor is a socket. Needs no system call for descriptors of channels; many servers store no
     * others.
     */
    private static boolean isSocket(FileDescriptor descriptor) {
        if (descriptor instanceof Socket) {
            return true;
        }
        try {
            // The constructor asks for the address, and fails for everything that is not a socket.
            return new Socket(descriptor.intValue()).isOpen();
        } catch (ChannelException e) {
            return false;
        }
    }

    /** Returns the flags of an open file of this process as open(2) and fcntl(2) number them. */
    private static int flags(int number) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo/" + number))) {
            if (line.startsWith("flags:")) {
                return Integer.parseInt(line.substring("flags:".length()).strip(), 8);
            }
        }
        throw new IOException("no flags of descriptor " + number);
    }

    private static boolean ignoresNonBlock(int number) throws IOException {
        int type = (Integer) Files.getAttribute(path(number), "unix:mode") & TYPE_MASK;
        return type == FILE || type == DIRECTORY || type == BLOCK_DEVICE;
    }

    private static String link(int number) throws IOException {
        return Files.readSymbolicLink(path(number)).toString();
    }

    private static Path path(int number) {
        return Path.of("/proc/self/fd/" + number);
    }
}
