package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.SocketCookie;
import io.escrow.handover.tls.MovableTls;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Looks at the mark of a TLS connection as another process would find it if this one were killed at that moment: it must say that
 * the connection is in the middle of something unless the kernel has all that was encrypted, and all that was read is done.
 */
class TlsCrashPointsTest extends TlsHarness {

    private static final int ENTRY = 64;
    private static final int STATE = 8;
    private static final int GENERATION = 16;
    private static final int CONSUMED = 40;
    private static final int WRITTEN = 48;

    private static final int TCP_INFO_LENGTH = 232;
    private static final int ACKNOWLEDGED = 120;
    private static final int RECEIVED = 128;

    private final Queue<String> points = new ConcurrentLinkedQueue<>();
    private ServerHandover server;
    private SslContext context;
    private TlsPeer peer;

    @BeforeEach
    void beCrashSafe() {
        crashSafe = true;
    }

    /** Stands between the handler of TLS and the kernel. */
    private final class Wire extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) throws Exception {
            look(ctx, "read");
            super.channelRead(ctx, msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
            look(ctx, "encrypted");
            super.write(ctx, msg, promise);
            look(ctx, "in the buffer of the channel");
        }
    }

    /** Answers in two steps. */
    private final class Answering extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            look(ctx, "decrypted");
            ctx.write(msg);
            look(ctx, "answered");
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            ctx.flush();
            look(ctx, "the answer with the kernel");
        }
    }

    private void look(ChannelHandlerContext ctx, String where) {
        points.add(where + ": " + (isMarked(ctx.channel()) ? "marked" : "at rest"));
    }

    private long get(Channel channel, int offset) {
        int file = server.context().connections().marks().descriptor().intValue();
        try (FileChannel marks = FileChannel.open(Path.of("/proc/self/fd/" + file))) {
            ByteBuffer all =
                    marks.map(FileChannel.MapMode.READ_ONLY, 0, marks.size()).order(ByteOrder.nativeOrder());
            long cookie = ByteBuffer.wrap(SocketCookie.of(((UnixChannel) channel).fd()))
                    .order(ByteOrder.nativeOrder())
                    .getLong();
            for (int at = ENTRY; at < all.limit(); at += ENTRY) {
                if (all.getLong(at) == cookie) {
                    return all.getLong(at + offset);
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        throw new IllegalStateException("there is no mark");
    }

    private boolean isMarked(Channel channel) {
        return get(channel, STATE) != 0;
    }

    private Channel open(SslProvider provider) throws Exception {
        context = context(provider).protocols("TLSv1.3").build();
        server = start(server(bootstrap(ch -> ch.pipeline()
                        .addLast(
                                new Wire(),
                                context.newHandler(ch.alloc()),
                                new LengthFieldBasedFrameDecoder(64 << 20, 0, 4),
                                new Answering())))
                .tls(MovableTls.of(context)));
        peer = tlsClient();
        peer.assertEchoes("one");
        Channel channel = onlyConnection(server).channel();
        awaitRest(channel);
        points.clear();
        return channel;
    }

    /** Waits until the mark says that the connection is at rest; then the kernel has counted what it says. */
    private void awaitRest(Channel channel) throws IOException {
        await().until(() -> !isMarked(channel));
        ByteBuffer info = ByteBuffer.allocate(TCP_INFO_LENGTH).order(ByteOrder.nativeOrder());
        await().until(() -> {
            ((Socket) ((UnixChannel) channel).fd()).getRawOpt(6, 11, info.clear());
            return info.getLong(ACKNOWLEDGED) == get(channel, WRITTEN);
        });
        assertEquals(info.getLong(RECEIVED), get(channel, CONSUMED));
        assertNotEquals(0, get(channel, GENERATION));
    }

    private Set<String> seen() {
        return new TreeSet<>(points);
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void eachMomentOfAReadAndItsAnswerIsMarked(SslProvider provider) throws Exception {
        Channel channel = open(provider);
        peer.assertEchoes("two");
        awaitRest(channel);
        assertEquals(
                Set.of(
                        "read: marked",
                        "decrypted: marked",
                        "answered: marked",
                        "encrypted: marked",
                        "in the buffer of the channel: marked",
                        "the answer with the kernel: marked"),
                seen());
    }

    /** Writes without having read anything; returns what the mark was before, behind the write, and behind the flush. */
    private List<Boolean> push(Channel channel, ByteBuf bytes) {
        return channel.eventLoop()
                .submit(() -> {
                    boolean before = isMarked(channel);
                    channel.write(bytes);
                    boolean written = isMarked(channel);
                    channel.flush();
                    return List.of(before, written, isMarked(channel));
                })
                .syncUninterruptibly()
                .getNow();
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void whatIsWrittenUnaskedIsMarkedBeforeItIsEncrypted(SslProvider provider) throws Exception {
        Channel channel = open(provider);
        assertEquals(List.of(false, true, false), push(channel, Unpooled.wrappedBuffer(new byte[100])));
        assertEquals(Set.of("encrypted: marked", "in the buffer of the channel: marked"), seen());
        peer.assertReceives(new byte[100]);
        awaitRest(channel);
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void whatThePeerDoesNotTakeIsMarked(SslProvider provider) throws Exception {
        Channel channel = open(provider);
        byte[] much = new byte[8 << 20];
        assertEquals(List.of(false, true, true), push(channel, Unpooled.wrappedBuffer(much)));
        for (int i = 0; i < 8; i++) {
            assertTrue(isMarked(channel) || i > 0);
            peer.assertReceives(new byte[1 << 20]);
        }
        awaitRest(channel);
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void halfARecordIsMarked(SslProvider provider) throws Exception {
        Channel channel = open(provider);
        byte[] record = peer.encrypt(Peer.framed(new byte[] {1, 2, 3}));
        peer.sendRaw(record, 0, 7);
        await().until(() -> !points.isEmpty());
        // The mark is as the read leaves it.
        channel.eventLoop().submit(() -> {}).sync();
        assertTrue(isMarked(channel));
        peer.sendRaw(record, 7, record.length);
        peer.assertReceives(Peer.framed(new byte[] {1, 2, 3}));
        awaitRest(channel);
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void newKeysHaveAnotherNumber(SslProvider provider) throws Exception {
        Channel channel = open(provider);
        long before = get(channel, GENERATION);
        peer.updateKeys();
        peer.assertEchoes("two");
        peer.assertEchoes("three");
        awaitRest(channel);
        assertNotEquals(before, get(channel, GENERATION));
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void connectionThatEndsIsMarked(SslProvider provider) throws Exception {
        Channel channel = open(provider);
        peer.closeOutput();
        await().until(() -> !points.isEmpty());
        channel.eventLoop().submit(() -> {}).sync();
        assertTrue(!channel.isOpen() || isMarked(channel));
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void connectionThatIsHandedOverIsMarked(SslProvider provider) throws Exception {
        Channel channel = open(provider);
        assertEquals(1, handOver(server).connections());
        assertTrue(!channel.isOpen());
        server = start(tlsServer(context).tls(MovableTls.of(context)));
        Channel next = onlyConnection(server).channel();
        awaitRest(next);
        peer.assertEchoes("two");
        awaitRest(next);
    }
}
