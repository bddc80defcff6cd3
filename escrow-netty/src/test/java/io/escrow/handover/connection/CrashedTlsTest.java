package io.escrow.handover.connection;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsState;
import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Decides about TLS connections whose process has died: marks are written here as a process would have left them. */
class CrashedTlsTest {

    private static final long GENERATION = 7_777_777_777L;
    private static final long READS = 3;
    private static final long WRITES = 1_000;

    @TempDir
    private Path directory;

    private final FoundMarks found = new FoundMarks();
    private final EventLoopGroup group = EventLoopGroups.epoll(1);
    private final BlockingQueue<Channel> accepted = new LinkedBlockingQueue<>();
    private java.net.Socket client;
    private Channel channel;
    private FileDescriptor connection;

    /** A connection on which 5 bytes were written, 10 have come, and 4 of these were read. */
    @BeforeEach
    void connect() throws Exception {
        Channel listener = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.AUTO_READ, false)
                .childHandler(new ChannelInboundHandlerAdapter() {
                    @Override
                    public void channelActive(io.netty.channel.ChannelHandlerContext ctx) {
                        accepted.add(ctx.channel());
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        client = new java.net.Socket();
        client.connect((InetSocketAddress) listener.localAddress());
        channel = accepted.poll(10, TimeUnit.SECONDS);
        connection = ((UnixChannel) channel).fd();
        client.getOutputStream().write("0123456789".getBytes(US_ASCII));
        Socket socket = (Socket) connection;
        ByteBuffer read = ByteBuffer.allocateDirect(4);
        while (read.hasRemaining()) {
            int count = socket.recv(read, read.position(), read.limit());
            read.position(read.position() + Math.max(0, count));
        }
        ByteBuffer written = ByteBuffer.allocateDirect(5);
        assertEquals(5, socket.send(written, 0, 5));
        assertEquals(5, client.getInputStream().readNBytes(5).length);
    }

    @AfterEach
    void end() throws IOException {
        found.close();
        client.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** What a process has left of one connection. */
    private static final class Left {
        private long life = CrashMarks.LIVING;
        private long state = CrashMarks.AT_REST;
        private long generation = GENERATION;
        private long consumed = 4;
        private long written = 5;
        private long cookieChange;
        private byte[] keys;
    }

    private static byte[] keys(long generation) {
        CipherSuite suite = CipherSuite.of("TLSv1.3", "TLS_AES_128_GCM_SHA256").orElseThrow();
        byte[] state = new TlsState(
                        suite,
                        new TlsState.Direction(new byte[32], 0, false),
                        new TlsState.Direction(new byte[32], 0, false),
                        true,
                        new byte[0],
                        new SessionInfo("", "", new byte[0], 1, List.of()))
                .encode();
        return ByteBuffer.allocate(Long.BYTES + state.length)
                .putLong(generation)
                .put(state)
                .array();
    }

    private void leave(Left left) throws IOException {
        ByteBuffer file = ByteBuffer.allocate(2 * CrashMarks.ENTRY).order(ByteOrder.nativeOrder());
        file.putLong(0, CrashMarks.MAGIC);
        file.putLong(CrashMarks.LENGTH, file.limit());
        file.putLong(CrashMarks.LIFE, left.life);
        int at = CrashMarks.ENTRY;
        file.putLong(at, SocketCookie.number(connection) + left.cookieChange);
        file.putLong(at + CrashMarks.STATE, left.state);
        file.putLong(at + CrashMarks.GENERATION, left.generation);
        file.putLong(at + CrashMarks.READS, READS);
        file.putLong(at + CrashMarks.WRITES, WRITES);
        file.putLong(at + CrashMarks.CONSUMED, left.consumed);
        file.putLong(at + CrashMarks.WRITTEN, left.written);
        Path path = Files.createTempFile(directory, "marks", "");
        // That empties it.
        found.add(FileDescriptor.from(path.toFile()).intValue());
        Files.write(path, file.array());
    }

    private ChannelRecord examine(byte[] keys) {
        ChannelRecord record = ChannelRecord.builder("tls", false)
                .put(ChannelRecord.PROTOCOL + "http", new byte[] {1})
                .build()
                .withCrashKeys(keys);
        assertNotNull(record.whyImmovable(), "for those who don't know the section");
        return new CrashedTls(found).examine(record, connection);
    }

    @Test
    void connectionGoesOnWithItsNumbers() throws Exception {
        leave(new Left());
        byte[] keys = keys(GENERATION);
        ChannelRecord record = examine(keys);
        assertNull(record.whyImmovable());
        TlsState state = TlsState.decode(record.get(ChannelRecord.TLS));
        assertEquals(READS, state.reads().sequence());
        assertEquals(WRITES, state.writes().sequence());
        assertArrayEquals(TlsCounter.encoded(4, 5), record.get(ChannelRecord.COUNTED));
        assertFalse(record.has(ChannelRecord.TLS_KEYS));
        assertTrue(record.hasKeys());
        assertFalse(record.clean());
        assertArrayEquals(new byte[] {1}, record.get(ChannelRecord.PROTOCOL + "http"));
        assertArrayEquals(new byte[keys.length], keys, "they are overwritten");
    }

    private record Case(String reason, Consumer<Left> change) {
        @Override
        public String toString() {
            return reason;
        }
    }

    static Stream<Case> refusals() {
        return Stream.of(
                new Case("in the middle of a message", left -> left.state = CrashMarks.IN_THE_MIDDLE),
                new Case("in the middle of a message", left -> left.cookieChange = 1),
                new Case("nobody can tell whether its process has died", left -> left.life = 0),
                new Case("its TLS keys have changed", left -> left.generation++),
                new Case("its TLS keys have changed", left -> left.generation = 0),
                new Case("had counted 3 bytes read and 5 written, the kernel 4 and 5", left -> left.consumed--),
                new Case("had counted 5 bytes read and 5 written, the kernel 4 and 5", left -> left.consumed++),
                new Case("had counted 10 bytes read and 5 written, the kernel 4 and 5", left -> left.consumed = 10),
                new Case("had counted 4 bytes read and 4 written, the kernel 4 and 5", left -> left.written--),
                new Case("had counted 4 bytes read and 6 written, the kernel 4 and 5", left -> left.written++),
                new Case("TLS state", left -> left.keys = new byte[] {0, 0, 0, 0, 0, 0, 0, 1, 99}),
                new Case("null", left -> left.keys = new byte[3]));
    }

    @ParameterizedTest
    @MethodSource("refusals")
    void connectionIsRefused(Case refused) throws Exception {
        Left left = new Left();
        refused.change.accept(left);
        if (left.keys != null && left.keys.length > Long.BYTES) {
            left.generation = 1;
        }
        leave(left);
        ChannelRecord record = examine(left.keys == null ? keys(GENERATION) : left.keys);
        assertTrue(record.whyImmovable().contains(refused.reason), record.whyImmovable());
        assertFalse(record.hasKeys());
    }

    @Test
    void connectionOfAProcessThatLivesIsRefused() throws Exception {
        try (CrashMarks living = CrashMarks.create(directory)) {
            living.add(channel).rest(GENERATION, READS, WRITES, 4, 5);
            found.add(living.descriptor().intValue());
            String reason = examine(keys(GENERATION)).whyImmovable();
            assertTrue(reason.contains("nobody can tell whether its process has died"), reason);
        }
    }

    @Test
    void withoutMarksNoConnectionGoesOn() {
        String reason = examine(keys(GENERATION)).whyImmovable();
        assertEquals("its process has left no marks", reason);
    }

    @Test
    void theMarkOfTheLaterProcessCounts() throws Exception {
        leave(new Left());
        Left later = new Left();
        later.state = CrashMarks.IN_THE_MIDDLE;
        leave(later);
        String reason = examine(keys(GENERATION)).whyImmovable();
        assertTrue(reason.contains("in the middle"), reason);
    }

    /** What comes meanwhile is still to be read. */
    @Test
    void bytesThatComeMeanwhileDoNotCount() throws Exception {
        leave(new Left());
        assertNull(examine(keys(GENERATION)).whyImmovable());
        client.getOutputStream().write(new byte[20]);
        assertNull(examine(keys(GENERATION)).whyImmovable());
    }

    @Test
    void otherRecordsAreLeftAsTheyAre() {
        ChannelRecord plain = ChannelRecord.builder("x", false).build();
        assertSame(plain, new CrashedTls(found).examine(plain, connection));
        ChannelRecord clean = ChannelRecord.builder("x", true)
                .put(ChannelRecord.TLS, new byte[] {1})
                .build();
        assertSame(clean, new CrashedTls(found).examine(clean, connection));
    }
}
