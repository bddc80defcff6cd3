package io.escrow.handover.connection;

import io.escrow.handover.tls.source.NetworkMeter;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;

/**
 * Counts the bytes of a TLS connection as the kernel does: a process that finds the connection after a crash compares both. Lives on
 * the channel's event loop.
 */
final class TlsCounter extends NetworkMeter {

    private final TlsGuard.Mark mark;
    private long consumed;
    private long written;
    private boolean exact = true;

    /** Counts a connection from its first byte on; the mark is set before the kernel may get any. */
    TlsCounter(TlsGuard.Mark mark) {
        this.mark = mark;
    }

    /** Returns how many bytes were read from the kernel. */
    long consumed() {
        return consumed;
    }

    /** Returns how many bytes were written, when none waits to be. */
    long written() {
        return written;
    }

    /** Returns whether each byte was counted. */
    boolean isExact() {
        return exact;
    }

    /**
     * Goes on counting where another process has stopped.
     *
     * @param counted what {@link #encode} has returned there; {@code null} if that is not known
     * @param again how many bytes come through here that were read there
     * @param unsent how many bytes do not come through here that are written here
     */
    void begin(byte[] counted, int again, int unsent) {
        if (counted == null || counted.length != 2 * Long.BYTES) {
            exact = false;
            return;
        }
        ByteBuffer in = ByteBuffer.wrap(counted);
        consumed = in.getLong() - again;
        written = in.getLong() + unsent;
    }

    /**
     * Returns what another process goes on from; empty if that is not known.
     *
     * @param kept how many bytes were read, and have not come through here
     * @param unsent how many bytes were written, and the kernel has not got them
     */
    byte[] encode(int kept, int unsent) {
        return exact ? encoded(consumed + kept, written - unsent) : new byte[0];
    }

    static byte[] encoded(long consumed, long written) {
        return ByteBuffer.allocate(2 * Long.BYTES)
                .putLong(consumed)
                .putLong(written)
                .array();
    }

    @Override
    protected void reading(Object msg) {
        if (msg instanceof ByteBuf bytes) {
            consumed += bytes.readableBytes();
        } else {
            exact = false;
        }
    }

    @Override
    protected void writing(Object msg) {
        mark.set();
        if (msg instanceof ByteBuf bytes) {
            written += bytes.readableBytes();
        } else {
            exact = false;
        }
    }
}
