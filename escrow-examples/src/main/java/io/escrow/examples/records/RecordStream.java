package io.escrow.examples.records;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Records what one connection has sent to an echo server, and compares it with what comes back.
 *
 * <p>A server that is killed has read bytes that it never answers. The next server continues behind those bytes. What
 * comes back is therefore what was sent, in order, with a gap for each kill. A gap may begin and end in the middle of a
 * record:
 *
 * <pre>
 *  sent:       |  1  |  2  |  3  |  4  |
 *  came back:  |  1  |  2   3|  4  |          torn: the head of 2 and the tail of 3
 * </pre>
 *
 * <p>Answers come in the order of the transmissions. When a transmission is answered, all unanswered ones before it are
 * lost, and their records are sent again as new transmissions. Until then they only count as late, however long that
 * takes; so no record is repeated that is still going to be answered. The bytes at a gap must be exactly the head and the
 * tail of the right records, so that a wrong byte is never taken for a gap.
 */
public final class RecordStream {

    private static final int LENGTH = NumberedRecord.LENGTH;

    /** So many bytes contain a whole record, whatever heads and tails surround it. */
    private static final int RESYNC_LENGTH = 3 * LENGTH;

    private final int connection;
    /** The record of each unanswered transmission, the oldest first. */
    private final Deque<Long> unanswered = new ArrayDeque<>();
    /** The records whose transmissions are lost. */
    private final Deque<Long> toRepeat = new ArrayDeque<>();

    private final ByteBuf first = Unpooled.buffer(LENGTH);
    private final ByteBuf other = Unpooled.buffer(LENGTH);
    private long firstUnanswered;
    private long nextRecord;
    private long verified;
    private long lost;
    private int gaps;

    RecordStream(int connection) {
        this.connection = connection;
    }

    /** Writes the next transmission: a lost record if there is one, otherwise a new one. */
    void writeNext(ByteBuf out) {
        long record = toRepeat.isEmpty() ? nextRecord++ : toRepeat.remove();
        NumberedRecord.write(out, connection, nextTransmission(), record);
        unanswered.add(record);
    }

    /**
     * Verifies what came back. An incomplete record stays in the buffer.
     *
     * @throws WrongBytesException if it differs from what was sent
     */
    void read(ByteBuf in) {
        while (in.readableBytes() >= LENGTH) {
            if (!readRecord(in)) {
                if (in.readableBytes() >= RESYNC_LENGTH) {
                    throw wrong("no record found in " + in.readableBytes() + " bytes");
                }
                return;
            }
        }
    }

    private boolean readRecord(ByteBuf in) {
        int start = in.readerIndex();
        for (int torn = 0; torn <= in.readableBytes() - LENGTH; torn++) {
            long transmission = answeredAt(in, start + torn);
            if (transmission >= 0) {
                if (transmission > firstUnanswered || torn > 0) {
                    checkGap(in, torn, transmission);
                    gaps++;
                }
                in.skipBytes(torn + LENGTH);
                answered(transmission);
                return true;
            }
        }
        return false;
    }

    /** Returns the transmission whose answer starts at an index, or -1. */
    private long answeredAt(ByteBuf in, int index) {
        if (!NumberedRecord.startsAt(in, index, connection)) {
            return -1;
        }
        long transmission = NumberedRecord.transmissionAt(in, index);
        if (transmission < firstUnanswered || transmission >= nextTransmission()) {
            return -1;
        }
        return ByteBufUtil.equals(in, index, sent(transmission, other), 0, LENGTH) ? transmission : -1;
    }

    /** Checks that torn bytes are the head of the first lost record and the tail of the last lost one. */
    private void checkGap(ByteBuf in, int torn, long next) {
        if (next == firstUnanswered) {
            throw wrong(torn + " extra bytes");
        }
        sent(firstUnanswered, first);
        sent(next - 1, other);
        int start = in.readerIndex();
        for (int head = Math.min(torn, LENGTH - 1); head >= 0; head--) {
            int tail = torn - head;
            if (tail < LENGTH
                    && ByteBufUtil.equals(in, start, first, 0, head)
                    && ByteBufUtil.equals(in, start + head, other, LENGTH - tail, tail)) {
                return;
            }
        }
        throw wrong(torn + " bytes that are not the head and the tail of lost records");
    }

    private ByteBuf sent(long transmission, ByteBuf into) {
        long record = unanswered.stream()
                .skip(transmission - firstUnanswered)
                .findFirst()
                .orElseThrow();
        into.clear();
        NumberedRecord.write(into, connection, transmission, record);
        return into;
    }

    private void answered(long transmission) {
        while (firstUnanswered < transmission) {
            toRepeat.add(unanswered.remove());
            firstUnanswered++;
            lost++;
        }
        unanswered.remove();
        firstUnanswered++;
        verified++;
    }

    private WrongBytesException wrong(String what) {
        return new WrongBytesException(
                "wrong bytes on connection " + connection + " after " + verified + " records: " + what);
    }

    /** Returns the number of the next transmission. */
    long nextTransmission() {
        return firstUnanswered + unanswered.size();
    }

    /** Returns the number of the oldest unanswered transmission; all before it are answered or lost. */
    long firstUnanswered() {
        return firstUnanswered;
    }

    int unanswered() {
        return unanswered.size();
    }

    boolean hasToRepeat() {
        return !toRepeat.isEmpty();
    }

    /** Returns the number of records so far; a repeated record counts once. */
    public long records() {
        return nextRecord;
    }

    /** Returns the number of records that came back as they were sent. */
    public long verified() {
        return verified;
    }

    /** Returns the number of transmissions that a server has read and not answered. */
    long lost() {
        return lost;
    }

    /** Returns the number of gaps in what came back: at most one for each kill. */
    public int gaps() {
        return gaps;
    }
}
