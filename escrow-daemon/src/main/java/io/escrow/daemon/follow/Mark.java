package io.escrow.daemon.follow;

import io.escrow.OwnedDescriptor;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;

/**
 * Says, beyond the end of the primary, whether its session can go on in the follower, and whether the follower may serve at
 * all. It is a pipe that both have open: what is in it stays when the primary is killed, and is there at once, even when the
 * follower does not read the link.
 *
 * <p>Used on the primary's event loop.
 */
final class Mark implements AutoCloseable {

    /** What the mark says. */
    enum State {
        /** Nothing of the next packet was read, and all that was done is mirrored and answered. */
        CLEAN,
        /** A packet is under way. */
        DIRTY,
        /** The primary has gone on without the follower. */
        REVOKED
    }

    private static final byte PACKET = 'p';
    private static final byte REVOCATION = 'r';

    private final ByteBuffer buffer = ByteBuffer.allocateDirect(2);
    private final FileDescriptor out;
    private final FileDescriptor in;
    private State state = State.CLEAN;
    private boolean left;

    /** Makes a mark that is dirty. */
    Mark() {
        try {
            FileDescriptor[] pipe = FileDescriptor.pipe();
            in = pipe[0];
            out = pipe[1];
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        dirty();
    }

    /** Returns the frame with the end for the follower. */
    LinkFrame frame() {
        return new LinkFrame(LinkKind.MARK, Fields.write(0), false, in);
    }

    /** Notes that the next packet may be read. */
    void dirty() {
        if (state == State.CLEAN && !left) {
            put(PACKET);
            state = State.DIRTY;
        }
    }

    /** Notes that nothing is under way. */
    void clean() {
        if (state == State.DIRTY && !left) {
            try {
                in.read(buffer.clear(), 0, 1);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            state = State.CLEAN;
        }
    }

    /** Notes, for ever, that the follower lacks something. */
    void revoke() {
        if (state != State.REVOKED && !left) {
            put(REVOCATION);
            state = State.REVOKED;
        }
    }

    private void put(byte what) {
        try {
            buffer.clear().put(0, what);
            out.write(buffer, 0, 1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Leaves the mark as it is for ever: the follower may serve when this process has ended. */
    void leave() {
        left = true;
    }

    /** Revokes the mark, and gives up this process's ends. */
    @Override
    public void close() {
        if (left) {
            return;
        }
        revoke();
        left = true;
        try {
            in.close();
            out.close();
        } catch (IOException e) {
            throw new UncheckedIOException("a pipe can't be closed", e);
        }
    }

    /** Returns what the mark of a primary says that has ended; {@code null} stands for one that never came. */
    static State read(OwnedDescriptor end) throws IOException {
        if (end == null) {
            return State.REVOKED;
        }
        ByteBuffer bytes = ByteBuffer.allocateDirect(2);
        State last = State.CLEAN;
        // At the end of the primary the pipe has no writer any more.
        for (int n = end.read(bytes, 0, 2); n > 0; n = end.read(bytes, 0, 2)) {
            for (int i = 0; i < n && last != State.REVOKED; i++) {
                last = bytes.get(i) == REVOCATION ? State.REVOKED : State.DIRTY;
            }
        }
        return last;
    }
}
