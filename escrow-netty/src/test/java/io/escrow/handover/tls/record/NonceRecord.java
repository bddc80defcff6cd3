package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Keeps a record of every key and nonce that a server has sealed with, whichever process it was. */
final class NonceRecord {

    private final List<Trial> keys = new ArrayList<>();
    private final List<Set<Long>> used = new ArrayList<>();
    private final boolean updates;
    private final long first;

    /** Begins with the first key, whose numbers begin there. */
    NonceRecord(TlsState state) {
        updates = state.suite().isTls13();
        first = state.writes().sequence();
        add(new Trial(state.suite(), state.writes().secret()));
    }

    private void add(Trial key) {
        keys.add(key);
        used.add(new HashSet<>());
    }

    /** Notes all records of these bytes; fails if one was sealed with what another was. Returns how many there are. */
    int note(byte[] sent) {
        int records = 0;
        ByteBuffer bytes = ByteBuffer.wrap(sent);
        while (bytes.hasRemaining()) {
            int end = bytes.position() + RecordFormat.HEADER + (bytes.getShort(bytes.position() + 3) & 0xffff);
            noteRecord(bytes.duplicate().limit(end));
            bytes.position(end);
            records++;
        }
        return records;
    }

    private void noteRecord(ByteBuffer record) {
        for (int key = keys.size() - 1; key >= 0; key--) {
            if (isOf(key, record)) {
                return;
            }
        }
        if (updates) {
            add(keys.get(keys.size() - 1).next());
            if (isOf(keys.size() - 1, record)) {
                return;
            }
        }
        throw new AssertionError("a record that was sealed with no key of this connection, or out of order");
    }

    private boolean isOf(int key, ByteBuffer record) {
        long begin = key == 0 ? first : 0;
        long next = begin + used.get(key).size();
        // Backwards: the next number is the likely one, and each before it would be a second use.
        for (long number = next; number >= begin; number--) {
            if (keys.get(key).opens(record, number)) {
                if (!used.get(key).add(number)) {
                    throw new AssertionError("key " + key + " has sealed two records with the number " + number);
                }
                return true;
            }
        }
        return false;
    }
}
