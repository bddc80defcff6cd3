package io.escrow.handover.connection;

import io.escrow.handover.connection.FoundMarks.NoMarkException;
import io.escrow.handover.connection.FoundMarks.TlsMark;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.tls.record.TlsState;
import io.netty.channel.unix.FileDescriptor;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Finds out whether TLS connections whose process has died go on: if their keys, their mark and the kernel agree. One object serves a
 * start. May be used by any thread.
 */
public final class CrashedTls {

    private final FoundMarks marks;
    private final KernelCounts kernel = new KernelCounts();

    public CrashedTls(FoundMarks marks) {
        this.marks = marks;
    }

    /**
     * Returns what a connection is restored from.
     *
     * @param record what its process has left, not sealed
     * @param connection its descriptor, which nobody reads or writes
     * @return a record with the state of its TLS, as if it had been handed over; or one that says why it can't go on; or {@code record} if
     *     it has no keys for the case of a crash
     */
    public ChannelRecord examine(ChannelRecord record, FileDescriptor connection) {
        if (record.clean() || !record.has(ChannelRecord.TLS_KEYS)) {
            return record;
        }
        byte[] keys = record.get(ChannelRecord.TLS_KEYS);
        try {
            TlsMark mark = marks.tls(connection);
            ByteBuffer in = ByteBuffer.wrap(keys);
            if (in.getLong() != mark.generation()) {
                return record.notResumed("its TLS keys have changed, and the escrow has others");
            }
            String difference = kernel.difference(connection, mark.consumed(), mark.written());
            if (difference != null) {
                return record.notResumed(difference);
            }
            byte[] encoded = new byte[in.remaining()];
            in.get(encoded);
            TlsState state = TlsState.decode(encoded);
            byte[] resumed = state.at(mark.reads(), mark.writes()).encode();
            state.destroy();
            Arrays.fill(encoded, (byte) 0);
            return record.resumed(resumed, TlsCounter.encoded(mark.consumed(), mark.written()));
        } catch (NoMarkException | IllegalArgumentException | BufferUnderflowException e) {
            return record.notResumed(String.valueOf(e.getMessage()));
        } finally {
            Arrays.fill(keys, (byte) 0);
        }
    }
}
