package io.escrow.examples.records;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RecordStreamTest {

    private static final int LENGTH = NumberedRecord.LENGTH;

    /** Magic, connection, and all of a small transmission number but its last byte. */
    private static final int SHARED_LENGTH = 16;

    private final RecordStream stream = new RecordStream(7);

    @Test
    void verifiesWhatComesBackWhole() {
        stream.read(send(3));
        assertState(3, 0, 0);
        assertEquals(0, stream.unanswered());
    }

    @Test
    void verifiesWhatComesBackByteByByte() {
        ByteBuf sent = send(2);
        ByteBuf in = Unpooled.buffer();
        while (sent.isReadable()) {
            in.writeByte(sent.readByte());
            stream.read(in);
        }
        assertState(2, 0, 0);
    }

    @Test
    void findsEveryGap() {
        for (int from = 0; from <= 2 * LENGTH; from++) {
            for (int length : new int[] {1, 2, 100, LENGTH - 1, LENGTH, LENGTH + 1, 2 * LENGTH - 1, 2 * LENGTH}) {
                RecordStream one = new RecordStream(7);
                ByteBuf sent = send(one, 5);
                one.read(without(sent, from, length));

                int firstTouched = from / LENGTH;
                int lastTouched = (from + length - 1) / LENGTH;
                // A gap of whole records that begins within the bytes that all headers share, looks as if it began
                // before them.
                boolean shared = length % LENGTH == 0 && from % LENGTH < SHARED_LENGTH;
                int lost = shared ? length / LENGTH : lastTouched - firstTouched + 1;
                assertEquals(5 - lost, one.verified(), "gap of " + length + " at " + from);
                assertEquals(lost, one.lost(), "gap of " + length + " at " + from);
                assertEquals(1, one.gaps());
                assertTrue(one.hasToRepeat());
                one.read(send(one, lost));
                assertEquals(5, one.verified());
                assertEquals(5, one.records());
                assertFalse(one.hasToRepeat());
            }
        }
    }

    @Test
    void takesNothingForLostBeforeSomethingBehindItIsAnswered() {
        ByteBuf sent = send(4);
        stream.read(sent.readSlice(LENGTH));
        assertState(1, 0, 0);
        assertEquals(3, stream.unanswered());

        stream.read(sent);
        assertState(4, 0, 0);
    }

    @Test
    void waitsWithinATornRecordForTheNextOne() {
        ByteBuf sent = send(3);
        ByteBuf in = Unpooled.buffer();
        in.writeBytes(sent, 0, 10).writeBytes(sent, 2 * LENGTH - 20, LENGTH);
        stream.read(in);
        assertState(0, 0, 0);

        in.writeBytes(sent, 3 * LENGTH - 20, 20);
        stream.read(in);
        assertState(1, 2, 1);
    }

    @Test
    void refusesEveryWrongByte() {
        for (int wrong = 0; wrong < 2 * LENGTH; wrong++) {
            RecordStream one = new RecordStream(7);
            ByteBuf sent = send(one, 6);
            sent.setByte(wrong, sent.getByte(wrong) ^ 1);
            assertThrows(WrongBytesException.class, () -> one.read(sent), "byte " + wrong);
        }
    }

    @Test
    void refusesAWrongByteBesideAGap() {
        for (int wrong = 0; wrong < 70; wrong++) {
            RecordStream one = new RecordStream(7);
            ByteBuf torn = without(send(one, 6), 50, 2 * LENGTH - 70);
            torn.setByte(wrong, torn.getByte(wrong) ^ 0x55);
            assertThrows(WrongBytesException.class, () -> one.read(torn), "byte " + wrong);
        }
    }

    @Test
    void refusesAnAnswerThatComesTwice() {
        ByteBuf sent = send(2);
        ByteBuf twice = Unpooled.copiedBuffer(sent.slice(0, LENGTH), sent.slice(0, LENGTH), sent.slice(LENGTH, LENGTH));
        assertThrows(WrongBytesException.class, () -> stream.read(twice));
    }

    @Test
    void refusesRecordsOfAnotherConnection() {
        send(3);
        ByteBuf other = send(new RecordStream(8), 3);
        assertThrows(WrongBytesException.class, () -> stream.read(other));
    }

    @Test
    void getsEveryRecordThroughManyKills() {
        Random random = new Random(20);
        ByteBuf underWay = Unpooled.buffer();
        ByteBuf in = Unpooled.buffer();
        int kills = 0;
        for (int round = 0; round < 20_000; round++) {
            while (stream.unanswered() < 4 + random.nextInt(4)) {
                stream.writeNext(underWay);
            }
            int answered = random.nextInt(underWay.readableBytes() + 1);
            in.writeBytes(underWay, answered);
            stream.read(in);
            // Not before a whole record came back since the last one: the demo waits for that, too.
            if (random.nextInt(10) == 0 && stream.gaps() == kills && in.readableBytes() < LENGTH) {
                kills += underWay.isReadable() ? 1 : 0;
                underWay.skipBytes(underWay.isReadable() ? 1 + random.nextInt(underWay.readableBytes()) : 0);
            }
            underWay.discardReadBytes();
            in.discardReadBytes();
        }
        while (stream.unanswered() > 0 || stream.hasToRepeat()) {
            stream.writeNext(underWay);
            in.writeBytes(underWay);
            stream.read(in);
        }
        assertEquals(stream.records(), stream.verified());
        assertEquals(kills, stream.gaps());
        assertTrue(stream.lost() >= kills);
    }

    private ByteBuf send(int count) {
        return send(stream, count);
    }

    private static ByteBuf send(RecordStream to, int count) {
        ByteBuf sent = Unpooled.buffer(count * LENGTH);
        for (int i = 0; i < count; i++) {
            to.writeNext(sent);
        }
        return sent;
    }

    private static ByteBuf without(ByteBuf sent, int from, int length) {
        int end = from + length;
        return Unpooled.copiedBuffer(sent.slice(0, from), sent.slice(end, sent.readableBytes() - end));
    }

    private void assertState(long verified, long lost, int gaps) {
        assertEquals(verified, stream.verified());
        assertEquals(lost, stream.lost());
        assertEquals(gaps, stream.gaps());
    }
}
