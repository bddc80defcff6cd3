package io.escrow.handover;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.store.HandoverRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What servers store is sealed, and opened by processes that have the key. */
class SealTest extends HandoverHarness {

    private static final int CONNECTIONS = 1;
    private static final String PASSWORD = "correct horse battery staple";
    private static final byte[] HALF = Peer.framed(PASSWORD.getBytes(UTF_8));

    private static byte[] key(int fill) {
        byte[] key = new byte[32];
        Arrays.fill(key, (byte) fill);
        return key;
    }

    private static SealKeys keys(int current, int... before) {
        return SealKeys.of(
                key(current), Arrays.stream(before).mapToObj(SealTest::key).toArray(byte[][]::new));
    }

    /** Answers each record with the one before: what it keeps is a secret of the peer. */
    private static final class Memory extends SimpleChannelInboundHandler<ByteBuf> implements Movable {
        private byte[] last = new byte[0];

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            byte[] payload = ByteBufUtil.getBytes(msg, msg.readerIndex() + 4, msg.readableBytes() - 4);
            ctx.writeAndFlush(Unpooled.buffer().writeInt(last.length).writeBytes(last));
            last = payload;
        }

        @Override
        public String section() {
            return "memory";
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeBytes(last);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            last = ByteBufUtil.getBytes(in);
        }
    }

    private ServerHandoverBuilder remembering() {
        return server(bootstrap(
                ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Memory())));
    }

    private ServerHandoverBuilder sealed(int current, int... before) {
        return remembering().seal(keys(current, before));
    }

    private static void assertRemembers(Peer peer, String sent, String before) throws Exception {
        peer.send(sent.getBytes(UTF_8));
        peer.assertReceives(before.getBytes(UTF_8));
    }

    /** Returns what a client of the escrow sees of the connections. */
    private List<Entry> stored() throws Exception {
        try (BlockingEscrow escrow = connectToEscrow()) {
            return stored(escrow);
        }
    }

    private static List<Entry> stored(BlockingEscrow escrow) throws Exception {
        List<Entry> entries = new ArrayList<>();
        escrow.getAll(CONNECTIONS, entries::add).orThrow();
        entries.forEach(Entry::close);
        return entries;
    }

    private static Set<String> sections(Entry entry) {
        return HandoverRecord.of(entry.payload()).orElseThrow().sections().keySet();
    }

    private static boolean shows(Entry entry, String text) {
        return new String(entry.payload(), ISO_8859_1).contains(text);
    }

    @Test
    void whoReadsSlotsLearnsNamesAndSizesOnly() throws Exception {
        ServerHandover server = start(sealed(1));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        peer.sendRaw(HALF, 0, HALF.length - 1);
        await().until(() -> unread(onlyConnection(server)) == 0);
        handOver(server);

        Entry entry = stored().get(0);
        assertEquals(
                Set.of("rested", "sealed:handler:memory", "sealed:collected:LengthFieldBasedFrameDecoder#0"),
                sections(entry));
        assertFalse(shows(entry, "horse"));
        ServerHandover next = start(sealed(1));
        assertEquals(1, next.startReport().adopted());
        peer.sendRaw(HALF, HALF.length - 1, HALF.length);
        peer.assertReceives(PASSWORD.getBytes(UTF_8));
    }

    @Test
    void withoutAKeyEverythingCanBeRead() throws Exception {
        ServerHandover server = start(remembering());
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        handOver(server);
        assertTrue(shows(stored().get(0), "horse"));
        // The first process with a key takes over what has none.
        ServerHandover next = start(sealed(1));
        assertEquals(1, next.startReport().adopted());
        assertRemembers(peer, "x", PASSWORD);
    }

    @Test
    void itIsSealedInWavesAsWell() throws Exception {
        ServerHandover server = start(sealed(1).waves(Duration.ofMillis(50)));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        CompletableFuture<ServerHandover> next = startNext(sealed(2, 1));
        assertEquals(1, handOver(server).connections());
        assertEquals(1, add(next.join()).startReport().adopted());
        assertRemembers(peer, "x", PASSWORD);
    }

    @Test
    void whatIsKeptForACrashIsSealedAsWell() throws Exception {
        crashSafe = true;
        ServerHandover server = start(sealed(1));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        checkpointOnly(server);
        crash(server);
        Entry entry = stored().get(0);
        assertEquals(Set.of("sealed:handler:memory"), sections(entry));
        assertFalse(shows(entry, "horse"));

        ServerHandover next = start(sealed(2, 1));
        assertEquals(1, next.startReport().foundAfterCrash());
        // It was sealed anew, with the current key.
        crash(next);
        ServerHandover last = start(sealed(2));
        assertEquals(1, last.startReport().foundAfterCrash(), last.startReport()::toString);
        assertRemembers(peer, "x", PASSWORD);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aProcessWithoutTheKeyLeavesTheConnectionToOneThatHasIt(boolean hasAnother) throws Exception {
        ServerHandover server = start(sealed(1));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        handOver(server);

        ServerHandover wrong = start(hasAnother ? sealed(2) : remembering());
        StartReport report = wrong.startReport();
        assertEquals(0, report.adopted());
        assertEquals(List.of(), report.refused());
        assertEquals(1, report.left().size(), report::toString);
        assertTrue(report.left().get(0).contains("its section handler:memory is sealed with the key "));
        assertFalse(report.toString().contains(HexFormat.of().formatHex(key(1))));
        assertRemembers(connect(), "new ones are served", "");
        handOver(wrong);

        ServerHandover back = start(sealed(1, 2));
        assertEquals(2, back.startReport().adopted(), back.startReport()::toString);
        assertRemembers(peer, "x", PASSWORD);
    }

    @Test
    void inWavesItStaysWithTheProcessBefore() throws Exception {
        ServerHandover server = start(sealed(1).waves(Duration.ofMillis(50)));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        CompletableFuture<ServerHandover> next = startNext(sealed(2));
        HandoverReport report = handOver(server);
        assertEquals(0, report.connections());
        assertEquals(1, report.staying().size());
        StartReport started = add(next.join()).startReport();
        assertTrue(started.left().get(0).contains("is sealed with the key "), started::toString);
        assertRemembers(peer, "x", PASSWORD);
    }

    @Test
    void theSealOfOneConnectionDoesNotOpenOnAnother() throws Exception {
        ServerHandover server = start(sealed(1));
        Peer one = connect();
        assertRemembers(one, PASSWORD, "");
        Peer other = connect();
        assertRemembers(other, "of the other", "");
        handOver(server);
        try (BlockingEscrow escrow = connectToEscrow()) {
            List<Entry> entries = stored(escrow);
            escrow.update(CONNECTIONS, entries.get(0).index(), entries.get(1).payload());
            escrow.update(CONNECTIONS, entries.get(1).index(), entries.get(0).payload());
        }
        ServerHandover next = start(sealed(1));
        List<String> left = next.startReport().left();
        assertEquals(2, left.size());
        left.forEach(reason -> assertTrue(reason.contains("belongs to something else"), reason));
        handOver(next);
        try (BlockingEscrow escrow = connectToEscrow()) {
            List<Entry> entries = stored(escrow);
            escrow.update(CONNECTIONS, entries.get(0).index(), entries.get(1).payload());
            escrow.update(CONNECTIONS, entries.get(1).index(), entries.get(0).payload());
        }
        assertEquals(2, start(sealed(1)).startReport().adopted());
        assertRemembers(one, "x", PASSWORD);
        assertRemembers(other, "x", "of the other");
    }

    @Test
    void theFileIsReadAtEachHandover() throws Exception {
        Path file = Files.createFile(
                directory.resolve("seal.key"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        String first = HexFormat.of().formatHex(key(1));
        String second = HexFormat.of().formatHex(key(2));
        Files.writeString(file, first);
        ServerHandover server = start(remembering().seal(SealKeys.file(file)));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        Files.writeString(file, second + "\n" + first);
        handOver(server);
        assertEquals(1, start(sealed(2)).startReport().adopted());
        assertRemembers(peer, "x", PASSWORD);
    }

    @Test
    void aKeyThatCannotBeReadFailsTheHandoverAndTheServerGoesOn() throws Exception {
        Path file = Files.write(directory.resolve("seal.key"), key(1));
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        ServerHandover server = start(remembering().seal(SealKeys.file(file)));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        EscrowException refused = assertThrows(EscrowException.class, () -> handOver(server));
        assertEquals(Status.EACCES, refused.status());
        assertTrue(refused.text().contains("chmod 600"), refused.text());
        assertRemembers(peer, "x", PASSWORD);

        // A start fails before it waits for its turn.
        EscrowException start =
                assertThrows(EscrowException.class, () -> start(remembering().seal(SealKeys.file(file))));
        assertEquals(Status.EACCES, start.status());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertEquals(1, handOver(server).connections());
        start(sealed(1));
        assertRemembers(peer, "y", "x");
    }

    @Test
    void aCallbackIsAskedAnew() throws Exception {
        List<SealKeys> given = new ArrayList<>(List.of(keys(1)));
        ServerHandover server = start(remembering().seal(SealKeys.from(() -> given.get(0))));
        Peer peer = connect();
        assertRemembers(peer, PASSWORD, "");
        given.set(0, null);
        assertEquals(
                Status.EINVAL,
                assertThrows(EscrowException.class, () -> handOver(server)).status());
        given.clear();
        EscrowException failed = assertThrows(EscrowException.class, () -> handOver(server));
        assertEquals(Status.EIO, failed.status());
        given.add(keys(2, 1));
        handOver(server);
        start(sealed(2));
        assertRemembers(peer, "x", PASSWORD);
    }

    @Test
    void keysAreCheckedAndNotPrinted() {
        SealKeys keys = keys(7);
        assertFalse(keys.toRecordSeal().sealer().toString().contains("0707"));
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> SealKeys.of(key(1), new byte[31]));
        assertEquals("seal key: 31 bytes (expected: 32 random ones)", refused.getMessage());
    }
}
