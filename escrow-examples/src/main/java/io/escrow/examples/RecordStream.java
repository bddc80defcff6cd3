package io.escrow.examples;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Knows what one connection has sent to an echo server, and tells exactly what came back of it.
 *
 * <p>A server that is killed has read bytes that it never answers, and the next one goes on behind them. So what comes
 * back is what was sent, in order, with a gap for each kill, and the gap may begin and end in the middle of a record:
 *
 * <pre>
 *  sent:       |  1  |  2  |  3  |  4  |
 *  came back:  |  1  |  2   3|  4  |          torn: the head of 2 and the tail of 3
 * </pre>
 *
 * <p>Answers come in the order of the transmissions. So those before an answered one are lost for certain, and their
 * records are sent again, as new transmissions; before that, however long it takes, they are only late. Torn bytes must
 * be a head and a tail of the right records to the byte. So no record is repeated that will be answered, and no wrong
 * byte is taken for a gap.
 */
final class RecordStream {

    private static final int LENGTH = NumberedRecord.LENGTH;

    /** With this many bytes a whole record is among them, behind a head and a tail. */
    private static final int RESYNC_LENGTH = 3 * LENGTH;

    private final int connection;
    /** The record of each transmission that was not answered, oldest first. */
    private final Deque<Long> unanswered = new ArrayDeque<>();
    /** Records of transmissions that are lost. */
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

    /** Writes the next transmission: a record that was lost, else a new one. */
    void writeNext(ByteBuf out) {
        long record = toRepeat.isEmpty() ? nextRecord++ : toRepeat.remove();
        NumberedRecord.write(out, connection, nextTransmission(), record);
        unanswered.add(record);
    }

    /**
     * Verifies what came back. Leaves what is not a whole record yet.
     *
     * @throws WrongBytesException if it is not what was sent
     */
    void read(ByteBuf in) {
        while (in.readableBytes() >= LENGTH) {
            if (!readRecord(in)) {
                if (in.readableBytes() >= RESYNC_LENGTH) {
                    throw wrong("no record to be seen");
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

    /** Returns the transmission whose answer is at an index, or -1. */
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

    /** Checks that torn bytes are a head of the first lost record and a tail of the last lost one. */
    private void checkGap(ByteBuf in, int torn, long next) {
        if (next == firstUnanswered) {
            throw wrong(torn + " bytes too many");
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
        throw wrong(torn + " bytes that are no head and tail of records");
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

    /** Returns the number of the oldest transmission that was not answered; all before it are answered or lost. */
    long firstUnanswered() {
        return firstUnanswered;
    }

    int unanswered() {
        return unanswered.size();
    }

    boolean hasToRepeat() {
        return !toRepeat.isEmpty();
    }

    /** Returns how many records there were so far, repeated ones counted once. */
    long records() {
        return nextRecord;
    }

    /** Returns how many records came back as they were sent. */
    long verified() {
        return verified;
    }

    /** Returns how many transmissions a server has read and not answered. */
    long lost() {
        return lost;
    }

    /** Returns how many gaps there were in what came back: at most one for each kill. */
    int gaps() {
        return gaps;
    }
}
