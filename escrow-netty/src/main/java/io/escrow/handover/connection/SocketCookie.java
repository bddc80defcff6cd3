package io.escrow.handover.connection;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.netty.channel.Channel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Reads the number that the kernel has given to a socket: the same in each process that has it, and never given again. */
public final class SocketCookie {

    /** {@code SOL_SOCKET} and {@code SO_COOKIE} of Linux. */
    private static final int LEVEL = 1;

    private static final int OPTION = 57;

    private SocketCookie() {}

    static byte[] of(Channel channel) throws EscrowException {
        if (!(channel instanceof UnixChannel unix)) {
            throw new EscrowException(
                    Status.EOPNOTSUPP,
                    "a " + channel.getClass().getSimpleName() + " has no socket to seal its state to");
        }
        return of((Socket) unix.fd());
    }

    /**
     * Reads it from a descriptor, which stays the caller's.
     *
     * @return 8 bytes
     */
    public static byte[] of(FileDescriptor descriptor) throws EscrowException {
        return of(new Socket(descriptor.intValue()));
    }

    /** Returns it as a number in the byte order of the machine; never 0. The channel must be open. */
    static long number(UnixChannel channel) throws IOException {
        return number((Socket) channel.fd());
    }

    /** Returns it as a number in the byte order of the machine; never 0. */
    static long number(FileDescriptor descriptor) throws IOException {
        return number(new Socket(descriptor.intValue()));
    }

    private static long number(Socket socket) throws IOException {
        return ByteBuffer.wrap(read(socket)).order(ByteOrder.nativeOrder()).getLong();
    }

    private static byte[] read(Socket socket) throws IOException {
        ByteBuffer cookie = ByteBuffer.allocate(Long.BYTES);
        socket.getRawOpt(LEVEL, OPTION, cookie);
        return cookie.array();
    }

    private static byte[] of(Socket socket) throws EscrowException {
        try {
            return read(socket);
        } catch (IOException e) {
            throw new EscrowException(
                    Status.EOPNOTSUPP, "its socket does not tell its SO_COOKIE, to which its state is sealed: " + e, e);
        }
    }
}
