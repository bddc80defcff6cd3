package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.ContentType;
import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.escrow.handover.tls.record.Trial;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Counts the records of a connection of TLS 1.3, and follows its KeyUpdates.
 *
 * <p>What comes in is opened only when something hides in it: a record whose content all comes out as plaintext was no KeyUpdate. Of
 * what goes out, only the answer to a KeyUpdate is opened, since BoringSSL never begins one by itself. It rotates its key when it reads
 * the request, and writes the answer before whatever it writes next; until that is out, it answers further requests with the same.
 */
final class Tls13Ledger extends RecordLedger {

    /** The type of the record, its inner type and the tag: what a record has more than its content, behind the header. */
    private static final int OVERHEAD = RecordStream.HEADER + 1 + 16;

    private static final int KEY_UPDATE = 24;
    private static final int REQUESTED = 1;
    /** A KeyUpdate in bytes: type, length, and whether one is asked for. */
    private static final int KEY_UPDATE_LENGTH = 5;

    private static final byte[] NOTHING = {};
    private static final byte[] ANSWER = {KEY_UPDATE, 0, 0, 1, 0};
    /** Is the length of an answer's record, without the header. */
    private static final int ANSWER_LENGTH = ANSWER.length + 1 + 16;

    /** A record that was written while others were handed to BoringSSL. */
    @SuppressWarnings("ArrayRecordComponent") // records are not compared
    private record Candidate(byte[] bytes, long number) {}

    private final CipherSuite suite;
    private final TrafficKeys reads;
    private final TrafficKeys writes;

    /** The numbers of the next records; here, because each read and each write counts. */
    private long readNumber;

    private long writeNumber;

    /** What {@link TrafficKeys#key} returns. */
    private Object readKey;

    private Object writeKey;

    /** {@code null} if there are none. */
    private List<Candidate> candidates;

    private byte[] message = NOTHING;
    private boolean padded;
    private boolean reading;
    private int requests;
    private int answers;
    private boolean owing;
    private boolean unsure;
    private long copyNumber;

    Tls13Ledger(CipherSuite suite, byte[] client, byte[] server) {
        this.suite = suite;
        reads = new TrafficKeys(suite, client);
        writes = new TrafficKeys(suite, server);
        readKey = reads.key();
        writeKey = writes.key();
    }

    /** Takes account of records that were written before. */
    void wrote(long records) {
        writeNumber += records;
    }

    /** Takes account of a record that was read before, when answers to it may have been written already. */
    void readBefore(byte[] record) {
        openOne(record);
        if (requests > 0) {
            trouble("a KeyUpdate came before the end of the handshake was seen");
        }
    }

    @Override
    boolean isOneByOne() {
        return padded;
    }

    @Override
    boolean needsRecords() {
        return true;
    }

    @Override
    void reading(int count) {
        reading = true;
        requests = 0;
        answers = 0;
    }

    @Override
    boolean read(int length, int count, long plaintext) {
        reading = false;
        boolean enough = plaintext == length - (long) count * OVERHEAD || (count == 1 && plaintext > 0);
        if (enough) {
            readNumber += count;
            candidates = null;
        }
        return enough;
    }

    @Override
    void open(byte[] records) {
        ByteBuffer all = ByteBuffer.wrap(records);
        while (all.hasRemaining() && trouble() == null) {
            byte[] record =
                    new byte[RecordStream.HEADER + (all.getShort(all.position() + RecordStream.LENGTH_AT) & 0xffff)];
            all.get(record);
            openOne(record);
        }
        if (requests > 0 && trouble() == null) {
            findAnswers();
        }
        candidates = null;
    }

    private void openOne(byte[] record) {
        Optional<Trial.Content> content = reads.open(record, readNumber);
        if (content.isEmpty()) {
            trouble("a record of the client could not be opened");
            return;
        }
        readNumber++;
        byte[] bytes = content.get().bytes();
        if (content.get().type() == ContentType.HANDSHAKE) {
            addMessage(bytes);
        } else if (message.length > 0) {
            trouble("a message of the client was cut by another record");
        }
        padded |= record.length - OVERHEAD > bytes.length;
    }

    /** A KeyUpdate, which may be cut into records, is all that a client may send. The record that ends it, ends with it. */
    private void addMessage(byte[] bytes) {
        byte[] all = Arrays.copyOf(message, message.length + bytes.length);
        System.arraycopy(bytes, 0, all, message.length, bytes.length);
        message = all;
        if (all.length > KEY_UPDATE_LENGTH || all[0] != KEY_UPDATE) {
            trouble("the client sent another message than a KeyUpdate");
        } else if (all.length == KEY_UPDATE_LENGTH) {
            message = NOTHING;
            reads.update();
            readNumber = 0;
            readKey = reads.key();
            if (all[KEY_UPDATE_LENGTH - 1] == REQUESTED) {
                requests++;
            }
        }
    }

    /** Some requests have come: were they answered already, by what was written meanwhile? */
    private void findAnswers() {
        boolean owed = owing;
        owing = true;
        long rotated = 0;
        for (Candidate each : candidates == null ? List.<Candidate>of() : candidates) {
            long number = each.number - rotated;
            if (isAnswer(each.bytes, number)) {
                updateWritesBehind(number);
                rotated = each.number + 1;
                answers++;
            }
        }
        if (answers > 0) {
            owing = requests + (owed ? 1 : 0) > answers;
            unsure = owing;
        }
    }

    @Override
    public boolean begin(int type, int length) {
        copyNumber = writeNumber;
        writeNumber++;
        if (owing) {
            return true;
        }
        // Tickets are written with the first record, and an answer may be behind them in the same.
        return reading && (length == ANSWER_LENGTH || copyNumber == 0);
    }

    @Override
    public void copied(byte[] record) {
        if (!owing) {
            candidates = candidates == null ? new ArrayList<>() : candidates;
            candidates.add(new Candidate(record, copyNumber));
        } else if (isAnswer(record, copyNumber)) {
            updateWritesBehind(copyNumber);
            owing = false;
            unsure = false;
            answers++;
        } else if (trouble() == null) {
            settle(record);
        }
    }

    /** Notes a record that was written when no answer came first: then none is to come. */
    private void settle(byte[] record) {
        Optional<Trial.Content> content = writes.open(record, copyNumber);
        if (content.isEmpty()) {
            trouble("a record of this side could not be opened");
        } else if (content.get().type() != ContentType.HANDSHAKE) {
            if (unsure) {
                owing = false;
                unsure = false;
            } else {
                trouble("a KeyUpdate of the client was not answered");
            }
        }
    }

    private void updateWritesBehind(long number) {
        writes.update();
        writeNumber -= number + 1;
        writeKey = writes.key();
    }

    private boolean isAnswer(byte[] record, long number) {
        Trial.Content content = writes.open(record, number).orElse(null);
        if (content == null || content.type() != ContentType.HANDSHAKE) {
            return false;
        }
        int end = content.bytes().length;
        return end >= ANSWER.length
                && Arrays.equals(content.bytes(), end - ANSWER.length, end, ANSWER, 0, ANSWER.length);
    }

    @Override
    String whyBusy() {
        return unsure ? "a KeyUpdate whose answer is not known to be written" : null;
    }

    @Override
    boolean at(TlsPosition position) {
        position.set(readNumber, writeNumber, readKey, writeKey);
        return trouble() == null && !reading && !owing && !unsure && message.length == 0;
    }

    @Override
    TlsState state(ReferenceCountedOpenSslEngine engine, SessionInfo session) {
        return new TlsState(
                suite,
                reads.state(readNumber, engine.isInboundDone()),
                writes.state(writeNumber, engine.isOutboundDone()),
                false,
                owing,
                message.clone(),
                session);
    }

    @Override
    void destroy() {
        reads.destroy();
        writes.destroy();
        candidates = null;
    }
}
