package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Opens every record that a server has sent on one connection, whichever process has sealed it, and notes its key and its number:
 * each number must be the one behind that of the record before, and each key the one behind the last.
 */
public final class NonceRecord {

    private final List<Trial> keys = new ArrayList<>();
    private final boolean updates;
    private final long first;
    private long next;
    private byte[] begun = {};
    private int records;

    /** Begins with the first key, whose numbers begin there. */
    public NonceRecord(TlsState state) {
        updates = state.suite().isTls13();
        first = state.writes().sequence();
        next = first;
        keys.add(new Trial(state.suite(), state.writes().secret()));
    }

    /**
     * Notes what comes next of the stream, which may end in the middle of a record.
     *
     * @return how many records there were until now
     * @throws AssertionError if one was sealed with what another was, or is out of order
     */
    public int note(byte[] sent) {
        byte[] all = Arrays.copyOf(begun, begun.length + sent.length);
        System.arraycopy(sent, 0, all, begun.length, sent.length);
        ByteBuffer bytes = ByteBuffer.wrap(all);
        while (bytes.remaining() >= RecordFormat.HEADER) {
            int end = bytes.position() + RecordFormat.HEADER + (bytes.getShort(bytes.position() + 3) & 0xffff);
            if (end > bytes.limit()) {
                break;
            }
            noteRecord(bytes.duplicate().limit(end));
            bytes.position(end);
            records++;
        }
        begun = Arrays.copyOfRange(all, bytes.position(), all.length);
        return records;
    }

    private void noteRecord(ByteBuffer record) {
        Trial key = keys.get(keys.size() - 1);
        if (key.opens(record, next)) {
            next++;
            return;
        }
        if (updates) {
            Trial behind = key.next();
            if (behind.opens(record, 0)) {
                keys.add(behind);
                next = 1;
                return;
            }
        }
        throw new AssertionError("record " + records + ": " + whatIsWrong(record));
    }

    private String whatIsWrong(ByteBuffer record) {
        for (int key = 0; key < keys.size(); key++) {
            long begin = key == 0 ? first : 0;
            // Those before the last key have sealed fewer than it could count: all of them would be a second use.
            long end = key == keys.size() - 1 ? next : begin + records;
            for (long number = begin; number < end; number++) {
                if (keys.get(key).opens(record, number)) {
                    return "key " + key + " has sealed two records with the number " + number;
                }
            }
        }
        return "sealed with no key of this connection, or out of order; expected number " + next + " of key "
                + (keys.size() - 1);
    }
}
