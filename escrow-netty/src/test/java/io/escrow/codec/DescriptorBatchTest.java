package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.RawPeer;
import io.escrow.testing.TestFile;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages with many descriptors, as they are on the socket. */
class DescriptorBatchTest {

    private static final Limits LIMITS = new Limits(32, 64, 1 << 20, 300, 1024, 2, 0);
    private static final EventLoopGroup group = EventLoopGroups.epoll(2);
    private static final EventLoop RING_LOOP = group.next();

    @TempDir
    Path directory;

    private TestFile file;
    private FileDescriptor open;
    private RawPeer.Pair pair;
    private Socket peer;
    private DescriptorRing ring;

    @BeforeEach
    void open() throws IOException {
        assumeTrue(FileFlags.canBeKept(), "no io_uring");
        file = new TestFile(directory, "file");
        open = file.open();
        pair = RawPeer.pair(directory);
        peer = (Socket) pair.peer().toChannel().fd();
        ring = call(() -> new DescriptorRing(Runnable::run));
    }

    @AfterEach
    void onlyOurOwnIsOpen() throws IOException {
        if (ring == null) {
            return; // It was skipped.
        }
        call(() -> {
            ring.close();
            return null;
        });
        if (pair.channel().isRegistered()) {
            pair.channel().close().syncUninterruptibly();
        } else {
            pair.channel().fd().close();
        }
        pair.peer().close();
        file.awaitOpenCount(1);
        open.close();
    }

    @AfterAll
    static void stopLoops() {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** More than the kernel takes in one message go out one by one. */
    @ParameterizedTest
    @CsvSource({"1, 1, 0", "2, 2, 0", "252, 252, 0", "253, 253, 0", "254, 0, 254"})
    void sendsAsManyAsMessageTakes(int count, int together, int single) throws Exception {
        EpollDomainSocketChannel sender = register(false, new ChannelHandlerAdapter() {});
        write(sender, count, -1);

        DescriptorMessage message = call(() -> ring.receiveBatch(peer.intValue(), 8));
        assertEquals(8, message.result());
        assertEquals(together, take(message));
        ByteBuf prelude = bytes(message);
        assertEquals(20 * count, prelude.readInt());
        assertEquals(count | 1 << 31 | (together == 0 ? 0 : 1 << 30), prelude.readInt());
        for (int i = 0; i < single; i++) {
            assertTrue(((OwnedDescriptor) call(() -> ring.receive(peer.intValue()))).release());
        }
        assertEquals("0000001002050000", pair.peer().receive(20 * count).substring(0, 16));
    }

    /** One descriptor that can't be sent does not keep the others, nor is it one of them by mistake. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4})
    void sendsOneByOneWhenOneCannotBeSent(int bad) throws Exception {
        EpollDomainSocketChannel sender = register(false, new ChannelHandlerAdapter() {});
        write(sender, 5, bad);

        DescriptorMessage message = call(() -> ring.receiveBatch(peer.intValue(), 8));
        assertEquals(8, message.result());
        assertEquals(0, take(message));
        for (int i = 0; i < 5; i++) {
            OwnedDescriptor descriptor = (OwnedDescriptor) call(() -> ring.receive(peer.intValue()));
            assertEquals(i != bad, file.is(descriptor));
            descriptor.release();
        }
        for (int i = 0; i < 5; i++) {
            String frame = pair.peer().receive(20);
            assertEquals(i == bad ? "07" : "05", frame.substring(10, 12));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 7, 8})
    void receivesBatchWhosePreludeComesInParts(int first) throws Exception {
        AddCollector received = new AddCollector(pair.channel(), List.of(file));
        register(true, received);
        String prelude = String.format("%08x%08x", 60, 3 | 3 << 30);
        sendBatch(prelude.substring(0, 2 * first), 3);
        letReceiverRead();
        pair.peer().send(prelude.substring(2 * first) + adds(3));

        received.awaitCount(3);
        pair.peer().close();
        received.assertClosedWith(0);
    }

    @Test
    void receivesOneBatchAfterTheOther() throws Exception {
        AddCollector received = new AddCollector(pair.channel(), List.of(file));
        register(true, received);
        for (int i = 0; i < 3; i++) {
            sendBatch(String.format("%08x%08x", 20, 1 | 3 << 30), 1);
            pair.peer().send(add(i));
        }

        received.awaitCount(3);
        pair.peer().close();
        received.assertClosedWith(0);
    }

    @ParameterizedTest
    @CsvSource({"2, 3", "3, 2", "1, 0"})
    void closesWhatCameWithWrongPrelude(int came, int announced) throws Exception {
        AddCollector received = new AddCollector(pair.channel(), List.of(file));
        register(true, received);
        sendBatch(String.format("%08x%08x", 60, announced | 3 << 30), came);

        received.assertClosedWith(1);
        assertEquals(0, received.count());
    }

    /** The daemon's descriptors are its own, so that the frames need not wait until they are sent. */
    @ParameterizedTest
    @CsvSource({"true, 512", "false, 8"})
    void sendsWholeHeadInOneMessageIfNoDescriptorCanBeClosed(boolean daemon, int together) throws Exception {
        EpollDomainSocketChannel sender = register(daemon, true, new ChannelHandlerAdapter() {});
        write(sender, 3, -1);

        DescriptorMessage message = call(() -> ring.receiveBatch(peer.intValue(), 512));
        assertEquals(together, message.result());
        assertEquals(3, take(message));
        ByteBuf head = bytes(message);
        assertEquals(3 * 20, head.readInt());
        assertEquals(3 | 3 << 30, head.readInt());
        if (together == 8) {
            assertEquals(504, pair.peer().receive(504).length() / 2);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void leavesGapWhenOneCannotBeSent(boolean daemon) throws Exception {
        EpollDomainSocketChannel sender = register(daemon, true, new ChannelHandlerAdapter() {});
        write(sender, 3, 1);

        DescriptorMessage message = call(() -> ring.receiveBatch(peer.intValue(), 512));
        assertEquals(512, message.result());
        assertEquals(0, take(message));
        ByteBuf head = bytes(message);
        assertEquals(3 * 20, head.readInt());
        assertEquals(3 | 1 << 31, head.readInt());
        for (int i = 0; i < 3; i++) {
            OwnedDescriptor descriptor = (OwnedDescriptor) call(() -> ring.receive(peer.intValue()));
            assertEquals(i != 1, file.is(descriptor));
            descriptor.release();
        }
        String rest = pair.peer().receive(504);
        for (int i = 0; i < 3; i++) {
            assertEquals(i == 1 ? "7" : "5", rest.substring(40 * i + 11, 40 * i + 12));
        }
        assertEquals("00".repeat(504 - 60), rest.substring(120));
    }

    /** Nothing of the second packet is read with the first, in one message or in two. */
    @ParameterizedTest
    @ValueSource(ints = {8, 512})
    void readsOnePacketAfterTheOtherWithHeads(int together) throws Exception {
        AddCollector received = new AddCollector(pair.channel(), List.of(file));
        for (int i = 0; i < 4; i++) {
            String packet = String.format("%08x%08x", 20, 1 | 3 << 30) + add(i) + "00".repeat(512 - 28);
            sendBatch(packet.substring(0, 2 * together), 1);
            pair.peer().send(packet.substring(2 * together));
        }
        register(true, true, received);

        received.awaitCount(4);
        pair.peer().close();
        received.assertClosedWith(0);
    }

    @Test
    void waitsForFramesThatAreLate() throws Exception {
        AddCollector received = new AddCollector(pair.channel(), List.of(file));
        register(true, true, received);
        for (int i = 0; i < 3; i++) {
            sendBatch(String.format("%08x%08x", 20, 1 | 3 << 30), 1);
            letReceiverRead();
            pair.peer().send(add(i));
            letReceiverRead();
            pair.peer().send("00".repeat(512 - 28));
            received.awaitCount(i + 1);
        }
        pair.peer().close();
        received.assertClosedWith(0);
    }

    /** The descriptors of the second message are closed when the first one has ended the session. */
    @Test
    void closesWhatCameBehindWrongPrelude() throws Exception {
        AddCollector received = new AddCollector(pair.channel(), List.of(file));
        String good = String.format("%08x%08x", 20, 1 | 3 << 30);
        sendBatch(good, 1);
        pair.peer().send(add(0) + "00".repeat(512 - 28));
        sendBatch(String.format("%08x%08x", 20, 2 | 3 << 30), 1);
        sendBatch("00".repeat(504), 3);
        register(true, true, received);

        received.assertClosedWith(1);
        assertEquals(1, received.count());
    }

    private EpollDomainSocketChannel register(boolean daemon, ChannelHandler last) throws InterruptedException {
        return register(daemon, false, last);
    }

    private EpollDomainSocketChannel register(boolean daemon, boolean heads, ChannelHandler last)
            throws InterruptedException {
        Wire wire = Wire.install(pair.channel(), daemon, LIMITS);
        pair.channel().pipeline().addLast(new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel registered) {
                // On the event loop, before anything is read.
                if (heads) {
                    wire.useBatches();
                } else {
                    wire.useBatchesAlone();
                }
            }
        });
        pair.channel().pipeline().addLast(last);
        group.register(pair.channel()).sync();
        return pair.channel();
    }

    private void write(EpollDomainSocketChannel sender, int count, int bad) throws InterruptedException {
        for (int i = 0; i < count; i++) {
            FileDescriptor descriptor = new FileDescriptor(i == bad ? 1_000_000 : open.intValue());
            Frame add = new Frame.Add(0, i, 0, new byte[0], new byte[0], true, descriptor);
            sender.write(add, sender.voidPromise());
        }
        sender.flush();
        letReceiverRead();
    }

    /** A ring is used by the thread that made it, and by no other. */
    private static <T> T call(Callable<T> task) {
        return RING_LOOP.submit(task).syncUninterruptibly().getNow();
    }

    @Test
    void threadMakesManyRings() {
        List<DescriptorRing> rings = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            rings.add(call(() -> new DescriptorRing(Runnable::run)));
        }
        for (DescriptorRing one : rings) {
            assertEquals(
                    DescriptorRing.EAGAIN,
                    call(() -> one.receiveBatch(peer.intValue(), 8)).result());
        }
        for (DescriptorRing one : rings) {
            call(() -> {
                one.close();
                return null;
            });
        }
    }

    private static ByteBuf bytes(DescriptorMessage message) {
        ByteBuf taken = message.takeBytes();
        try {
            return Unpooled.copiedBuffer(taken);
        } finally {
            taken.release();
        }
    }

    private static int take(DescriptorMessage message) {
        message.releaseDescriptors();
        return message.received();
    }

    private void sendBatch(String bytes, int count) {
        List<DescriptorRegion> descriptors = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            descriptors.add(new DescriptorRegion(peer, open, Unpooled.EMPTY_BUFFER, 0));
        }
        byte[] sent = HexFormat.of().parseHex(bytes);
        ByteBuf prelude = Unpooled.wrappedBuffer(sent);
        assertEquals(sent.length, call(() -> ring.sendBatch(peer.intValue(), prelude, descriptors)));
    }

    private static String adds(int count) {
        StringBuilder adds = new StringBuilder();
        for (int i = 0; i < count; i++) {
            adds.append(add(i));
        }
        return adds.toString();
    }

    private static String add(int index) {
        return String.format("0000001002050000%08x0000000000000000", index);
    }

    /** Returns after the event loop has looked at its socket at least once. */
    private void letReceiverRead() throws InterruptedException {
        for (int i = 0; i < 2; i++) {
            pair.channel().eventLoop().submit(() -> {}).sync();
        }
    }
}
