package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.testing.TestFile;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrameCodecTest {

    private static final Limits LIMITS = new Limits(32, 64, 256, 4, 3, 2, 8);
    private static final byte[] HI = {104, 105};
    private static final byte[] BYE = {98, 121, 101};
    private static final String ADD_WITH_DESCRIPTOR = "00000012 02010001 00000007 00000005 00000002 6869";

    private final EmbeddedChannel daemon = new EmbeddedChannel(new FrameCodec(true, LIMITS));
    private final EmbeddedChannel client = new EmbeddedChannel(new FrameCodec(false, LIMITS));

    @TempDir
    Path directory;

    @AfterEach
    void nothingIsLeft() {
        assertFalse(daemon.finish());
        assertFalse(client.finish());
    }

    static Stream<Arguments> requests() {
        return Stream.of(
                arguments(new Frame.Hello(1, null), "00000010 01000000 00000000 45534352 00010000"),
                arguments(new Frame.Hello(1, true, null), "00000010 01000000 00000000 45534352 00010001"),
                arguments(
                        new Frame.Hello(1, false, false, 0x102030405060708L, null),
                        "00000018 01000000 00000000 45534352 00010000 0102030405060708"),
                arguments(add(new byte[] {104, 105}, -1), "00000012 02000001 00000007 ffffffff 00000002 6869"),
                arguments(add(new byte[0], 5), "00000010 02000001 00000007 00000005 00000000"),
                arguments(
                        new Frame.Add(1, 7, -1, HI, BYE, false, null),
                        "00000019 02080001 00000007 00000003 627965 ffffffff 00000002 6869"),
                arguments(new Frame.Update(1, 7, HI, BYE), "00000015 09080001 00000007 00000003 627965 00000002 6869"),
                arguments(new Frame.Update(1, 7, HI, new byte[0]), "00000012 09080001 00000007 00000000 00000002 6869"),
                arguments(new Frame.Get(0xffff, 0x7fffffff), "00000008 0300ffff 7fffffff"),
                arguments(new Frame.Update(1, 7, new byte[] {104, 105}), "0000000e 09000001 00000007 00000002 6869"),
                arguments(new Frame.Delete(1, 2), "00000008 04000001 00000002"),
                arguments(new Frame.Tag(31), "00000008 0600001f 00000000"),
                arguments(new Frame.ListRequest(1, 7, 1024), "0000000c 08000001 00000007 00000400"),
                arguments(new Frame.ListRequest(1, 7, 1024, true), "0000000c 08100001 00000007 00000400"));
    }

    static Stream<Arguments> replies() {
        SlotInfo full = new SlotInfo(1, 7, 2, true);
        SlotInfo payloadOnly = new SlotInfo(1, 8, 3, false);
        SlotInfo peerGone = new SlotInfo(1, 9, 0, true, true);
        return Stream.of(
                arguments(
                        new Frame.Hello(1, Limits.DEFAULT),
                        "0000002c 01800000 00000000 45534352 00010000"
                                + "00000020 00008000 00100000 00000080 00000400 00000002 00000400"),
                arguments(
                        new Frame.Add(1, 7, -1, HI, BYE, false, null),
                        "00000019 02880001 00000007 00000003 627965 ffffffff 00000002 6869"),
                arguments(add(new byte[] {104, 105}, -1), "00000012 02800001 00000007 ffffffff 00000002 6869"),
                arguments(new Frame.Reply(Status.OK, ""), "0000000c 05800000 00000000 00000000"),
                arguments(new Frame.Reply(Status.ENOENT, "é"), "0000000e 05800000 00000000 fffffffe c3a9"),
                arguments(
                        new Frame.Info(3, 2, 0x80000000L, 9),
                        "00000020 07800003 00000000 00000002 00000000 0000000080000000 0000000000000009"),
                arguments(new Frame.ListPage(1, -1, List.of()), "00000010 08800001 00000000 ffffffff 00000000"),
                arguments(
                        new Frame.ListPage(1, 9, List.of(full, payloadOnly, peerGone)),
                        "00000034 08800001 00000000 00000009 00000003 00000007 00000002 00000001"
                                + "00000008 00000003 00000000 00000009 00000000 00000003"));
    }

    @ParameterizedTest
    @MethodSource("requests")
    void encodesAndDecodesRequest(Frame frame, String hex) {
        assertEncoded(client, frame, hex);
        assertDecodedHoweverSplit(daemon, frame, hex);
    }

    @ParameterizedTest
    @MethodSource("replies")
    void encodesAndDecodesReply(Frame frame, String hex) {
        assertEncoded(daemon, frame, hex);
        assertDecodedHoweverSplit(client, frame, hex);
    }

    @Test
    void ignoresWhatIsBehindTheKnownPartOfHello() {
        daemon.writeInbound(bytes("00000014 01000000 00000000 45534352 00020000 12345678"), PacketEnd.INSTANCE);

        assertReceived(daemon, new Frame.Hello(2, null), PacketEnd.INSTANCE);
    }

    @Test
    void findsNoFarewellsInTheHelloOfDaemonThatKnowsNone() {
        client.writeInbound(
                bytes("00000028 01800000 00000000 45534352 00010000"
                        + "00000020 00008000 00100000 00000080 00000400 00000002"),
                PacketEnd.INSTANCE);

        assertEquals(0, ((Frame.Hello) client.readInbound()).limits().farewell());
        assertSame(PacketEnd.INSTANCE, client.readInbound());
    }

    @Test
    void leavesTheFarewellWhenAnUpdateHasNone() {
        daemon.writeInbound(bytes("0000000e 09000001 00000007 00000002 6869"), PacketEnd.INSTANCE);

        assertNull(((Frame.Update) daemon.readInbound()).farewell());
        assertSame(PacketEnd.INSTANCE, daemon.readInbound());
    }

    @Test
    void takesUnknownStatusForProtocolError() {
        client.writeInbound(bytes("0000000c 05800000 00000000 fffffc19"), PacketEnd.INSTANCE);

        assertReceived(client, new Frame.Reply(Status.EPROTO, ""), PacketEnd.INSTANCE);
    }

    @Test
    void writesDescriptorBehindItsFrame() {
        FileDescriptor descriptor = new FileDescriptor(5);
        client.writeOutbound(new Frame.Add(1, 7, 5, new byte[] {104, 105}, descriptor));

        assertEquals(hex(ADD_WITH_DESCRIPTOR), readHex(client));
        assertSame(descriptor, client.readOutbound());
    }

    @Test
    void marksDescriptorWhoseFlagsAreToBeKept() throws IOException {
        FileDescriptor descriptor = new FileDescriptor(5);
        String marked = "00000012 02050001 00000007 00000005 00000002 6869";
        client.writeOutbound(new Frame.Add(1, 7, 5, HI, new byte[0], true, descriptor));
        OwnedDescriptor received = new TestFile(directory, "a").openOwned();
        daemon.writeInbound(received, bytes(marked), PacketEnd.INSTANCE);

        assertEquals(hex(marked), readHex(client));
        assertSame(descriptor, client.readOutbound());
        assertTrue(((Frame.Add) daemon.readInbound()).keepFlags());
        assertSame(PacketEnd.INSTANCE, daemon.readInbound());
        received.release();
    }

    @Test
    void givesDescriptorsToTheirFramesInOrder() throws IOException {
        OwnedDescriptor first = new TestFile(directory, "a").openOwned();
        OwnedDescriptor second = new TestFile(directory, "b").openOwned();
        daemon.writeInbound(first, second);
        daemon.writeInbound(bytes(ADD_WITH_DESCRIPTOR), bytes("00000008 03000000 00000000"));
        daemon.writeInbound(bytes(ADD_WITH_DESCRIPTOR), PacketEnd.INSTANCE);

        assertSame(first, ((Frame.Add) daemon.readInbound()).descriptor());
        assertEquals(new Frame.Get(0, 0), daemon.readInbound());
        assertSame(second, ((Frame.Add) daemon.readInbound()).descriptor());
        assertSame(PacketEnd.INSTANCE, daemon.readInbound());
        first.release();
        second.release();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        0000000c 02000001 00000007 00000005                   | EINVAL   | length of ADD: 4 (expected: >= 8)
        00000010 02000001 00000007 00000005 ffffffff          | EINVAL   | payload length: -1 (expected: 0..64)
        00000010 02000001 00000007 00000005 00000041          | EMSGSIZE | payload length: 65 (expected: <= 64)
        00000010 02000001 00000007 00000005 00000001          | EINVAL   | payload length: 1 (expected: 0, as the frame has)
        00000011 02000001 00000007 00000005 00000000 00       | EINVAL   | payload length: 0 (expected: 1, as the frame has)
        00000008 09000001 00000007                            | EINVAL   | length of UPD: 0 (expected: >= 4)
        0000000c 09000001 00000007 ffffffff                   | EINVAL   | payload length: -1 (expected: 0..64)
        0000000c 09000001 00000007 00000041                   | EMSGSIZE | payload length: 65 (expected: <= 64)
        00000010 02080001 00000007 00000000 00000000          | EINVAL   | length of ADD: 8 (expected: >= 12)
        0000000c 09080001 00000007 00000000                   | EINVAL   | length of UPD: 4 (expected: >= 8)
        00000010 09080001 00000007 ffffffff 00000000          | EINVAL   | farewell length: -1 (expected: 0..8)
        00000010 09080001 00000007 00000009 00000000          | EMSGSIZE | farewell length: 9 (expected: <= 8)
        00000011 09080001 00000007 00000005 00000000 00       | EINVAL   | farewell length: 5 (expected: <= 1, as the frame has)
        00000010 02010001 00000007 00000005 00000000          | EINVAL   | the descriptor announced for slot 1/7 did not come
        00000010 02020001 00000007 00000005 00000000          | EINVAL   | flags of ADD: 0x02 (expected: with 0x01)
        00000010 02040001 00000007 00000005 00000000          | EINVAL   | flags of ADD: 0x04 (expected: with 0x01)
        00000010 02100001 00000007 00000005 00000000          | EINVAL   | flags of ADD: 0x10 (expected: none but 0x0f)
        00000010 02400001 00000007 00000005 00000000          | EINVAL   | flags of ADD: 0x40 (expected: none but 0x0f)
        00000008 03200001 00000007                            | EINVAL   | flags of GET: 0x20 (expected: none but 0x00)
        00000008 03080001 00000007                            | EINVAL   | flags of GET: 0x08 (expected: none but 0x00)
        00000008 04100001 00000007                            | EINVAL   | flags of DEL: 0x10 (expected: none but 0x00)
        00000008 06020001 00000000                            | EINVAL   | flags of TAG: 0x02 (expected: none but 0x00)
        0000000c 08180001 00000000 00000001                   | EINVAL   | flags of LST: 0x18 (expected: none but 0x10)
        0000000c 09040001 00000007 00000000                   | EINVAL   | flags of UPD: 0x04 (expected: none but 0x08)
        0000000c 03200001 00000007 00000000                   | EINVAL   | flags of GET: 0x20 (expected: none but 0x00)
        """)
    void turnsWrongFieldsIntoInvalidAndGoesOn(String hex, Status status, String text) {
        daemon.writeInbound(bytes(hex), bytes("00000008 03000001 00000002"), PacketEnd.INSTANCE);

        assertEquals(new Frame.Invalid(status, text), daemon.readInbound());
        assertEquals(new Frame.Get(1, 2), daemon.readInbound());
        assertSame(PacketEnd.INSTANCE, daemon.readInbound());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        00000008 03010001 00000007                            | EINVAL   | a descriptor came with GET (expected: only with ADD)
        00000008 04010001 00000007                            | EINVAL   | a descriptor came with DEL (expected: only with ADD)
        00000008 06010001 00000000                            | EINVAL   | a descriptor came with TAG (expected: only with ADD)
        0000000c 09010001 00000007 00000000                   | EINVAL   | a descriptor came with UPD (expected: only with ADD)
        0000000c 08010001 00000000 00000001                   | EINVAL   | a descriptor came with LST (expected: only with ADD)
        00000010 02010001 00000007 00000005 00000041          | EMSGSIZE | payload length: 65 (expected: <= 64)
        00000010 02030001 00000007 00000005 00000000          | EBADF    | the descriptor for slot 1/7 could not be sent: closed, or of a kind that can't be sent
        """)
    void closesDescriptorOfInvalidFrame(String hex, Status status, String text) throws IOException {
        TestFile file = new TestFile(directory, "a");
        daemon.writeInbound(file.openOwned(), bytes(hex), PacketEnd.INSTANCE);

        assertEquals(new Frame.Invalid(status, text), daemon.readInbound());
        assertSame(PacketEnd.INSTANCE, daemon.readInbound());
        assertEquals(0, file.openCount());
    }

    @Test
    void answersForDescriptorThatWasLost() throws IOException {
        OwnedDescriptor other = new TestFile(directory, "a").openOwned();
        daemon.writeInbound(LostDescriptor.INSTANCE, other);
        daemon.writeInbound(bytes(ADD_WITH_DESCRIPTOR), bytes(ADD_WITH_DESCRIPTOR), PacketEnd.INSTANCE);

        assertEquals(Status.EMFILE, ((Frame.Invalid) daemon.readInbound()).status());
        assertSame(other, ((Frame.Add) daemon.readInbound()).descriptor());
        assertSame(PacketEnd.INSTANCE, daemon.readInbound());
        other.release();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        00000007 03000000 000000                              | frame length: 7 (expected: 8..252)
        ffffffff                                              | frame length: -1 (expected: 8..252)
        000000fd                                              | frame length: 253 (expected: 8..252)
        00000008 00000000 00000000                            | opcode: 0 with flags 0 (expected: a request)
        00000008 0a000000 00000000                            | opcode: 10 with flags 0 (expected: a request)
        00000008 ff000000 00000000                            | opcode: 255 with flags 0 (expected: a request)
        00000008 03800000 00000000                            | opcode: 3 with flags 128 (expected: a request)
        0000000c 05000000 00000000 00000000                   | opcode: 5 with flags 0 (expected: a request)
        00000020 07000000 00000000 000000000000000000000000000000000000000000000000 | opcode: 7 with flags 0 (expected: a request)
        00000010 01100000 00000000 45534352 00010000          | flags of HEL: 0x10 (expected: none but 0x00)
        00000010 01010000 00000000 45534352 00010000          | a descriptor came with HEL (expected: only with ADD)
        00000009 03000000 00000000 00                         | length of GET: 1 (expected: 0)
        00000009 04000000 00000000 00                         | length of DEL: 1 (expected: 0)
        00000009 06000000 00000000 00                         | length of TAG: 1 (expected: 0)
        00000008 08000000 00000000                            | length of LST: 0 (expected: 4)
        0000000f 01000000 00000000 45534352 000100            | length of HEL: 7 (expected: >= 8)
        00000010 01000000 00000000 47455420 00010000          | magic of HEL: 47455420 (expected: 45534352)
        """)
    void refusesRequestThatCannotBeTrusted(String hex, String text) {
        assertUntrusted(daemon, hex, text);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        00000008 05000000 00000000                            | opcode: 5 with flags 0 (expected: a reply)
        0000000b 05800000 00000000 000000                     | length of REP: 3 (expected: >= 4)
        0000001f 07800000 00000000 0000000000000000000000000000000000000000000000 | length of INF: 23 (expected: 24)
        0000000f 08800000 00000000 00000000000000             | length of LST: 7 (expected: >= 8)
        00000010 08800000 00000000 ffffffff ffffffff          | slots in LST: -1 (expected: 0..1024)
        00000010 08800000 00000000 ffffffff 00000401          | slots in LST: 1025 (expected: 0..1024)
        00000010 08800000 00000000 ffffffff 00000001          | length of LST: 8 (expected: 20)
        00000010 01800000 00000000 45534352 00010000          | length of HEL: 8 (expected: >= 32)
        00000028 01800000 00000000 45534352 00010000 00000000 00008000 00100000 00000080 00000400 00000002 | limits of HEL: tags: 0 (expected: 1..65536)
        """)
    void refusesReplyThatCannotBeTrusted(String hex, String text) {
        assertUntrusted(client, hex, text);
    }

    @Test
    void refusesTooManyFramesInPacket() {
        String get = "00000008 03000000 00000000";
        daemon.writeInbound(bytes(get + get + get), PacketEnd.INSTANCE);
        daemon.releaseInbound();

        assertUntrusted(daemon, get + get + get + get, "frames in a packet: more than 3");
    }

    @Test
    void refusesFrameThatGoesOnBehindItsPacket() {
        daemon.writeInbound(bytes("00000008 03000000"));

        Exception e = assertThrows(ProtocolException.class, () -> daemon.writeInbound(PacketEnd.INSTANCE));
        assertEquals("bytes behind the last whole frame of the packet: 8 (expected: 0)", e.getMessage());
    }

    @Test
    void refusesAndClosesDescriptorsThatNoFrameAnnounces() throws IOException {
        TestFile file = new TestFile(directory, "a");
        daemon.writeInbound(file.openOwned(), file.openOwned(), file.openOwned(), bytes(ADD_WITH_DESCRIPTOR));

        Exception e = assertThrows(ProtocolException.class, () -> daemon.writeInbound(PacketEnd.INSTANCE));
        assertEquals("descriptors that no frame of the packet announces: 2 (expected: 0)", e.getMessage());
        assertEquals(0, file.openCount());
        assertNull(daemon.readInbound());
    }

    @Test
    void passesNothingOnOfPacketThatCannotBeTrusted() throws IOException {
        TestFile file = new TestFile(directory, "a");
        daemon.writeInbound(file.openOwned());

        assertUntrusted(
                daemon,
                ADD_WITH_DESCRIPTOR + "00000008 0a000000 00000000",
                "opcode: 10 with flags 0 (expected: a request)");
        assertEquals(0, file.openCount());
        daemon.writeInbound(PacketEnd.INSTANCE);
        assertReceived(daemon, PacketEnd.INSTANCE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"HEL GET", "GET HEL", "HEL HEL"})
    void refusesHelloBesideOtherFrames(String packet) {
        daemon.writeInbound(bytes(packet.replace("HEL", "00000010 01000000 00000000 45534352 00010000")
                .replace("GET", "00000008 03000000 00000000")));

        Exception e = assertThrows(ProtocolException.class, () -> daemon.writeInbound(PacketEnd.INSTANCE));
        assertEquals("frames in the packet of HEL: 2 (expected: 1)", e.getMessage());
        assertNull(daemon.readInbound());
    }

    @Test
    void closesDescriptorsWhenTheChannelCloses() throws IOException {
        TestFile file = new TestFile(directory, "a");
        daemon.writeInbound(file.openOwned(), bytes("00000012 0201"));

        daemon.close();

        assertEquals(0, file.openCount());
    }

    @Test
    void appliesLimitsThatWereSetLater() {
        client.pipeline().get(FrameCodec.class).limits(new Limits(32, 1, 256, 4, 3, 2, 0));

        client.writeInbound(bytes("00000012 02800001 00000007 ffffffff 00000002 6869"), PacketEnd.INSTANCE);

        assertEquals(Status.EMSGSIZE, ((Frame.Invalid) client.readInbound()).status());
        assertSame(PacketEnd.INSTANCE, client.readInbound());
    }

    @Test
    void boundsRequestsWithOrForDescriptors() {
        daemon.pipeline().get(FrameCodec.class).limits(new Limits(32, 64, 256, 1, 8, 2, 0));
        String get = "00000008 03000001 00000007";
        for (int packet = 0; packet < 3; packet++) {
            daemon.writeInbound(bytes(get), PacketEnd.INSTANCE);
            assertReceived(daemon, new Frame.Get(1, 7), PacketEnd.INSTANCE);
        }

        assertUntrusted(daemon, get + get, "requests in a packet with a descriptor, or for one: more than 1");
    }

    private static Frame add(byte[] payload, int number) {
        return new Frame.Add(1, 7, number, payload, null);
    }

    private static void assertEncoded(EmbeddedChannel sender, Frame frame, String hex) {
        assertTrue(sender.writeOutbound(frame));
        assertEquals(hex(hex), readHex(sender));
        assertNull(sender.readOutbound());
    }

    private static void assertDecodedHoweverSplit(EmbeddedChannel receiver, Frame frame, String hex) {
        receiver.writeInbound(bytes(hex), PacketEnd.INSTANCE);
        assertReceived(receiver, frame, PacketEnd.INSTANCE);

        for (byte b : HexFormat.of().parseHex(hex(hex))) {
            receiver.writeInbound(Unpooled.wrappedBuffer(new byte[] {b}));
        }
        receiver.writeInbound(PacketEnd.INSTANCE);
        assertReceived(receiver, frame, PacketEnd.INSTANCE);

        if (!(frame instanceof Frame.Hello)) {
            receiver.writeInbound(bytes(hex + hex), PacketEnd.INSTANCE);
            assertReceived(receiver, frame, frame, PacketEnd.INSTANCE);
        }
    }

    private static void assertReceived(EmbeddedChannel receiver, Object... expected) {
        for (Object message : expected) {
            assertEquals(describe(message), describe(receiver.readInbound()));
        }
        assertNull(receiver.readInbound());
    }

    /** Describes a message; records compare arrays by identity only. */
    private static String describe(Object message) {
        String arrays = "";
        if (message instanceof Frame frame) {
            byte[] farewell = frame.farewell();
            arrays = HexFormat.of().formatHex(frame.payload()) + " and "
                    + (farewell == null ? "none" : HexFormat.of().formatHex(farewell));
        }
        return String.valueOf(message).replaceAll("\\[B@\\w+", "array") + arrays;
    }

    private static void assertUntrusted(EmbeddedChannel receiver, String hex, String text) {
        Exception e = assertThrows(ProtocolException.class, () -> receiver.writeInbound(bytes(hex)));
        assertEquals(text, e.getMessage());
        assertNull(receiver.readInbound());
    }

    private static ByteBuf bytes(String hex) {
        return Unpooled.wrappedBuffer(HexFormat.of().parseHex(hex(hex)));
    }

    private static String hex(String spaced) {
        return spaced.replace(" ", "");
    }

    private static String readHex(EmbeddedChannel sender) {
        ByteBuf bytes = sender.readOutbound();
        try {
            return ByteBufUtil.hexDump(bytes);
        } finally {
            bytes.release();
        }
    }
}
