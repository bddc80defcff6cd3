package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.testing.TestFile;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Gives the decoder what it says is due, as the receive allocator does. */
class PacketDecoderTest {

    private static final String FRAMES = "00000008" + "0300000100000002" + "0000000804000001" + "00000002";

    private static final String ANSWER = "0000000c" + "0580000000000000" + "00000000";

    private final PacketDecoder decoder = new PacketDecoder(new Limits(32, 64, 256, 4, 3, 2, 0));
    private final EmbeddedChannel channel = new EmbeddedChannel(decoder);

    @TempDir
    Path directory;

    private TestFile file;

    @BeforeEach
    void makeFile() throws IOException {
        file = new TestFile(directory, "a");
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertFalse(channel.finish());
        assertEquals(0, file.openCount());
    }

    @Test
    void passesWholePacketOn() throws IOException {
        receive("00000018" + "00000002");
        assertEquals(2, decoder.descriptorsDue());
        OwnedDescriptor first = receiveDescriptor();
        OwnedDescriptor second = receiveDescriptor();
        assertEquals(0x18, decoder.bytesDue());
        receive(FRAMES);

        assertSame(first, channel.readInbound());
        assertSame(second, channel.readInbound());
        assertFramesAndEnd();
        first.release();
        second.release();
    }

    @Test
    void decodesByteByByteTheSame() throws IOException {
        receiveByteByByte("00000018" + "00000001");
        OwnedDescriptor descriptor = receiveDescriptor();
        receiveByteByByte(FRAMES);

        assertSame(descriptor, channel.readInbound());
        assertFramesAndEnd();
        descriptor.release();
    }

    @Test
    void decodesOnePacketAfterTheOther() {
        for (int i = 0; i < 3; i++) {
            receive("00000018" + "00000000");
            receive(FRAMES);
            assertFramesAndEnd();
        }
    }

    @Test
    void asksForDescriptorsBeforeFramesAndForFramesOnlyThen() throws IOException {
        assertEquals(8, decoder.bytesDue());
        receive("00000018");
        assertEquals(4, decoder.bytesDue());
        assertEquals(0, decoder.descriptorsDue());
        receive("00000001");
        assertEquals(1, decoder.descriptorsDue());
        receiveDescriptor();
        assertEquals(0, decoder.descriptorsDue());
        assertEquals(24, decoder.bytesDue());
    }

    @Test
    void passesNothingOnBeforeTheLastByte() throws IOException {
        receive("00000018" + "00000001");
        receiveDescriptor();
        receive(FRAMES.substring(2));

        assertNull(channel.readInbound());
        assertEquals(1, decoder.bytesDue());
    }

    @Test
    void dropsPacketWhoseSenderDiesAtAnyPoint() throws IOException {
        String prelude = "00000018" + "00000002";
        for (int cut = 1; cut < 8 + 2 + 24; cut++) {
            PacketDecoder dying = new PacketDecoder(Limits.DEFAULT);
            EmbeddedChannel cutOff = new EmbeddedChannel(dying);
            write(cutOff, prelude.substring(0, 2 * Math.min(cut, 8)));
            for (int i = 8; i < Math.min(cut, 10); i++) {
                cutOff.writeInbound(file.openOwned());
            }
            if (cut > 10) {
                write(cutOff, FRAMES.substring(0, 2 * (cut - 10)));
            }

            assertFalse(cutOff.finish(), "passed on although cut at " + cut);
            assertEquals(0, file.openCount(), "open although cut at " + cut);
        }
    }

    @Test
    void keepsPlaceOfLostDescriptor() {
        receive("00000018" + "00000001");
        channel.writeInbound(LostDescriptor.INSTANCE);
        receive(FRAMES);

        assertSame(LostDescriptor.INSTANCE, channel.readInbound());
        assertFramesAndEnd();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        0000000b 00000000 | packet length: 11 (expected: 12..256)
        00000000 00000000 | packet length: 0 (expected: 12..256)
        00000101 00000000 | packet length: 257 (expected: 12..256)
        ffffffff 00000000 | packet length: 4294967295 (expected: 12..256)
        00000018 00000005 | descriptors in a packet: 5 (expected: 0..4)
        00000018 ffffffff | descriptors in a packet: 2147483647 (expected: 0..4)
        47455420 2f204854 | packet length: 1195725856 (expected: 12..256)
        """)
    void refusesPacketBeyondLimits(String prelude, String text) {
        Exception e = assertThrows(ProtocolException.class, () -> receive(prelude.replace(" ", "")));
        assertEquals(text, e.getMessage());
    }

    @Test
    void appliesLimitsThatWereSetLater() {
        decoder.limits(Limits.DEFAULT);

        receive("00000101" + "00000005");

        assertEquals(5, decoder.descriptorsDue());
    }

    @Test
    void refusesDescriptorThatNoPacketAnnounced() {
        assertThrows(ProtocolException.class, this::receiveDescriptor);
    }

    @Test
    void refusesByteWhereDescriptorIsDue() {
        receive("00000018" + "00000001");

        assertThrows(ProtocolException.class, () -> receive("00"));
    }

    @Test
    void swallowsOnlyTheSignalThatDescriptorIsNotThereYet() {
        channel.pipeline().fireExceptionCaught(NotYet.INSTANCE);
        channel.checkException();

        channel.pipeline().fireExceptionCaught(new ProtocolException("other"));
        assertThrows(ProtocolException.class, channel::checkException);
    }

    @Test
    void readsShortestAnswerTogetherWithItsPrelude() {
        decoder.descriptorsMayCome(false);
        for (int i = 0; i < 2; i++) {
            assertEquals(8 + 16, decoder.bytesDue());
            receive("00000010" + "00000000" + ANSWER);
            assertPacket(ANSWER);
        }
    }

    @Test
    void readsRestOfLongerAnswer() {
        decoder.descriptorsMayCome(false);
        receive("00000020" + "00000000" + ANSWER);
        assertEquals(16, decoder.bytesDue());
        assertEquals(24, decoder.received());
        receive(ANSWER);

        assertPacket(ANSWER + ANSWER);
    }

    @Test
    void readsAnswerByteByByte() {
        decoder.descriptorsMayCome(false);
        receiveByteByByte("00000010" + "00000000" + ANSWER);
        receiveByteByByte("0000000c" + "00000000" + ANSWER.substring(0, 24));

        assertPacket(ANSWER);
        assertPacket(ANSWER.substring(0, 24));
    }

    @Test
    void readsPreludeOnlyOnceDescriptorsMayCome() throws IOException {
        decoder.descriptorsMayCome(false);
        receive("000000");
        decoder.descriptorsMayCome(true);
        assertEquals(5, decoder.bytesDue());
        receive("18" + "00000001");
        OwnedDescriptor descriptor = receiveDescriptor();
        receive(FRAMES);

        assertSame(descriptor, channel.readInbound());
        assertFramesAndEnd();
        descriptor.release();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        00000010 00000001 | descriptors in the answer to requests that ask for none: 1 (expected: 0)
        0000000c 00000000 | length of an answer: 12 (expected: >= 16)
        """)
    void refusesAnswerThatReadsTooFar(String prelude, String text) {
        decoder.descriptorsMayCome(false);

        Exception e = assertThrows(ProtocolException.class, () -> receive(prelude.replace(" ", "") + ANSWER));
        assertEquals(text, e.getMessage());
    }

    @Test
    void takesDescriptorsOfBatchTogetherWithPrelude() throws IOException {
        decoder.useBatches();
        for (int cut = 2; cut <= 16; cut += 2) {
            assertTrue(decoder.batchMayCome());
            OwnedDescriptor first = receiveDescriptor();
            OwnedDescriptor second = receiveDescriptor();
            String prelude = "00000018" + "40000002";
            receive(prelude.substring(0, cut));
            if (cut < prelude.length()) {
                assertEquals(2 + cut / 2, decoder.received());
                receive(prelude.substring(cut));
            }
            assertEquals(0, decoder.descriptorsDue());
            assertFalse(decoder.batchMayCome());
            receive(FRAMES);

            assertSame(first, channel.readInbound());
            assertSame(second, channel.readInbound());
            assertFramesAndEnd();
            first.release();
            second.release();
        }
    }

    @Test
    void takesDescriptorsOneByOneInSessionWithBatches() throws IOException {
        decoder.useBatches();
        receive("00000018" + "00000001");
        assertEquals(1, decoder.descriptorsDue());
        OwnedDescriptor descriptor = receiveDescriptor();
        receive(FRAMES);

        assertSame(descriptor, channel.readInbound());
        assertFramesAndEnd();
        descriptor.release();
    }

    @Test
    void expectsNoBatchWithAnAnswerThatHasNoDescriptor() {
        decoder.useBatches();
        decoder.descriptorsMayCome(false);
        assertFalse(decoder.batchMayCome());
        receive("00000010" + "00000000" + ANSWER);

        assertPacket(ANSWER);
    }

    /** The kernel passes those on that found room, in order, and drops all behind them. */
    @Test
    void keepsPlacesOfDescriptorsThatBatchHasLost() throws IOException {
        decoder.useBatches();
        decoder.truncated();
        OwnedDescriptor first = receiveDescriptor();
        receive("00000018" + "c0000003");
        assertTrue(decoder.keepFlags());
        receive(FRAMES);

        assertSame(first, channel.readInbound());
        assertSame(LostDescriptor.INSTANCE, channel.readInbound());
        assertSame(LostDescriptor.INSTANCE, channel.readInbound());
        assertFramesAndEnd();
        first.release();
        // The next one has lost nothing.
        assertThrows(ProtocolException.class, () -> receive("00000018" + "40000001"));
    }

    @Test
    void readsHeadAtOnceAndDropsWhatFillsIt() {
        decoder.useHeads();
        for (String frames : List.of(FRAMES, ANSWER, FRAMES.repeat(10))) {
            assertEquals(512, decoder.bytesDue());
            receive(head(String.format("%08x00000000", frames.length() / 2) + frames));
            assertPacket(frames);
        }
        decoder.descriptorsMayCome(false);
        assertEquals(512, decoder.bytesDue());
        receiveByteByByte(head("00000010" + "00000000" + ANSWER));
        assertPacket(ANSWER);
    }

    @Test
    void readsRestOfPacketThatIsLongerThanItsHead() {
        decoder.limits(Limits.DEFAULT);
        decoder.useHeads();
        String frames = "000001fd" + "0300000100000002" + "00".repeat(501);
        assertEquals(505 + 8, frames.length() / 2);
        receive("00000201" + "00000000" + frames.substring(0, 2 * 504));
        assertEquals(9, decoder.bytesDue());
        receive(frames.substring(2 * 504));

        assertPacket(frames);
    }

    /** So that a read of a head never reaches a descriptor that has a message of its own. */
    @Test
    void skipsGapBeforeDescriptorsThatComeOneByOne() throws IOException {
        decoder.useBatches();
        decoder.useHeads();
        for (int first : new int[] {3, 8, 9, 511, 512}) {
            String head = head("00000018" + "00000001");
            receive(head.substring(0, 2 * first));
            assertEquals(512 - first, decoder.descriptorsDue() > 0 ? 0 : decoder.bytesDue());
            if (first < 512) {
                receive(head.substring(2 * first));
            }
            assertEquals(1, decoder.descriptorsDue());
            OwnedDescriptor descriptor = receiveDescriptor();
            assertEquals(504, decoder.bytesDue());
            receive(head("0000000000000000" + FRAMES).substring(16));

            assertSame(descriptor, channel.readInbound());
            assertFramesAndEnd();
            descriptor.release();
        }
    }

    /** Then two messages are to be received for each packet. */
    @Test
    void expectsFramesApartAsLongAsTheyComeSo() throws IOException {
        decoder.useBatches();
        decoder.useHeads();
        assertEquals(512, decoder.bytesTogether());
        String head = head("00000018" + "40000001" + FRAMES);
        OwnedDescriptor first = receiveDescriptor();
        receive(head.substring(0, 16));
        receive(head.substring(16));
        assertSame(first, channel.readInbound());
        assertFramesAndEnd();
        assertEquals(8, decoder.bytesTogether());
        OwnedDescriptor second = receiveDescriptor();
        receive(head.substring(0, 6));
        assertEquals(5, decoder.bytesTogether());
        assertEquals(509, decoder.bytesDue());
        receive(head.substring(6));
        assertSame(second, channel.readInbound());
        assertFramesAndEnd();
        assertEquals(512, decoder.bytesTogether());
        first.release();
        second.release();
    }

    @Test
    void refusesDescriptorThatComesWithFrames() throws IOException {
        decoder.useBatches();
        decoder.useHeads();
        receive("00000018" + "00000000");
        Exception e = assertThrows(ProtocolException.class, this::receiveDescriptor);
        assertEquals("a descriptor came with bytes of frames", e.getMessage());
    }

    private static String head(String bytes) {
        return bytes + "00".repeat(512 - bytes.length() / 2);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        0 | 40000001 | descriptors that came with a prelude: 0 (expected: 1)
        2 | 40000001 | descriptors that came with a prelude: 2 (expected: 1)
        1 | 40000002 | descriptors that came with a prelude: 1 (expected: 2)
        1 | 00000001 | descriptors that came with a prelude: 1 (expected: 0)
        1 | 40000000 | descriptors that came with a prelude: 1 (expected: 0)
        """)
    void refusesBatchThatIsNotAsAnnounced(int came, String field, String text) throws IOException {
        decoder.useBatches();
        for (int i = 0; i < came; i++) {
            receiveDescriptor();
        }

        Exception e = assertThrows(ProtocolException.class, () -> receive("00000018" + field));
        assertEquals(text, e.getMessage());
    }

    @Test
    void closesDescriptorsBeyondLimitAtOnce() throws IOException {
        decoder.useBatches();
        for (int i = 0; i < 4; i++) {
            receiveDescriptor();
        }

        Exception e = assertThrows(ProtocolException.class, this::receiveDescriptor);
        assertEquals("descriptors that came with a prelude: more than 4", e.getMessage());
        assertEquals(4, file.openCount());
        e = assertThrows(ProtocolException.class, () -> receive("00000018" + "40000005"));
        assertEquals("descriptors in a packet: 5 (expected: 0..4)", e.getMessage());
    }

    @Test
    void refusesBatchThatWasNotAgreedOn() {
        Exception e = assertThrows(ProtocolException.class, () -> receive("00000018" + "40000001"));
        assertEquals("descriptors in a packet: 1073741825 (expected: 0..4)", e.getMessage());
    }

    @Test
    void dropsBatchWhoseSenderDiesAtAnyPoint() throws IOException {
        for (int cut = 0; cut < 8 + 24; cut++) {
            PacketDecoder dying = new PacketDecoder(Limits.DEFAULT);
            dying.useBatches();
            EmbeddedChannel cutOff = new EmbeddedChannel(dying);
            cutOff.writeInbound(file.openOwned());
            write(cutOff, ("00000018" + "40000001" + FRAMES).substring(0, 2 * Math.min(cut, 8)));
            if (cut > 8) {
                write(cutOff, FRAMES.substring(0, 2 * (cut - 8)));
            }

            assertFalse(cutOff.finish(), "passed on although cut at " + cut);
            assertEquals(0, file.openCount(), "open although cut at " + cut);
        }
    }

    private void assertPacket(String frames) {
        ByteBuf received = channel.readInbound();
        assertEquals(frames, ByteBufUtil.hexDump(received));
        received.release();
        assertSame(PacketEnd.INSTANCE, channel.readInbound());
    }

    private OwnedDescriptor receiveDescriptor() throws IOException {
        OwnedDescriptor descriptor = file.openOwned();
        channel.writeInbound(descriptor);
        return descriptor;
    }

    private void receive(String hex) {
        write(channel, hex);
    }

    private void receiveByteByByte(String hex) {
        for (int i = 0; i < hex.length(); i += 2) {
            receive(hex.substring(i, i + 2));
        }
    }

    private static void write(EmbeddedChannel target, String hex) {
        target.writeInbound(Unpooled.wrappedBuffer(HexFormat.of().parseHex(hex)));
    }

    private void assertFramesAndEnd() {
        ByteBuf frames = channel.readInbound();
        assertEquals(FRAMES, ByteBufUtil.hexDump(frames));
        assertTrue(frames.release());
        assertSame(PacketEnd.INSTANCE, channel.readInbound());
        assertNull(channel.readInbound());
    }
}
