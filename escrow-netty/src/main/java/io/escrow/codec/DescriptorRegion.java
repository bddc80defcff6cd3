package io.escrow.codec;

import io.netty.buffer.ByteBuf;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;

/**
 * Sends one descriptor when the socket has room for it.
 *
 * <p>A plain {@link FileDescriptor} message ends the channel's output when the socket is full, and the channel itself
 * when the descriptor is closed. A region waits for the socket. In place of a descriptor that can't be sent, it sends
 * {@code /dev/null} and marks the frame of the descriptor, which comes later in the same packet and was not sent yet.
 */
final class DescriptorRegion extends SocketRegion {

    private static final int EPIPE = -32;
    private static final int ECONNRESET = -104;
    private static final int ENOTCONN = -107;

    private final Socket socket;
    private final FileDescriptor descriptor;
    private final ByteBuf frames;
    private final int flagsIndex;
    private boolean sent;

    /** Takes over one reference of the descriptor, if it has references. */
    DescriptorRegion(Socket socket, FileDescriptor descriptor, ByteBuf frames, int flagsIndex) {
        this.socket = socket;
        this.descriptor = descriptor;
        this.frames = frames;
        this.flagsIndex = flagsIndex;
    }

    /** Returns the number of the descriptor. */
    int number() {
        return descriptor.intValue();
    }

    /** Marks the frame if the descriptor, which was sent, is closed by now. */
    void markIfClosed() {
        if (!descriptor.isOpen()) {
            // It was closed by another thread: what was sent may be another file that has got its number.
            markStandIn();
        }
    }

    @Override
    public long transferTo(WritableByteChannel target, long position) throws IOException {
        int written;
        try {
            written = socket.sendFd(descriptor.intValue());
            if (written > 0) {
                markIfClosed();
            }
        } catch (NativeIoException e) {
            if (isConnectionLost(e.expectedErr())) {
                throw e;
            }
            written = socket.sendFd(StandIn.DESCRIPTOR.intValue());
            if (written > 0) {
                markStandIn();
            }
        }
        sent = written > 0;
        return sent ? 1 : 0;
    }

    /** Returns whether an error of sending says that the connection is lost. */
    static boolean isConnectionLost(int errno) {
        return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
    }

    private void markStandIn() {
        frames.setByte(flagsIndex, frames.getByte(flagsIndex) | FrameCodec.STAND_IN);
    }

    @Override
    public long count() {
        return 1;
    }

    @Override
    public long transferred() {
        return sent ? 1 : 0;
    }

    @Override
    protected void deallocate() {
        ReferenceCountUtil.release(descriptor);
    }

    private static final class StandIn {
        static final FileDescriptor DESCRIPTOR;

        static {
            try {
                DESCRIPTOR = FileDescriptor.from("/dev/null");
            } catch (IOException e) {
                throw new ExceptionInInitializerError(e);
            }
        }
    }
}
