package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.RawPeer;
import io.escrow.testing.TestFile;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Packets with descriptors over real sockets and event loops. In every packet here the index of a frame counts up, and
 * the frame with index n brings a descriptor of file n modulo {@link #FILES}. All is done with descriptors whose
 * flags may change, with such that must be received as they are, with batches of these, and with heads, too.
 */
@ParameterizedClass
@EnumSource
class PacketTransportTest {

    private static final int FILES = 8;
    private static final int FRAME_LENGTH = 20;

    private static final EventLoopGroup group = EventLoopGroups.epoll(2);

    enum Way {
        CHANGED,
        KEPT,
        BATCHES,
        HEADS
    }

    private static final int HEAD = 512;

    @Parameter
    Way way;

    private boolean keepFlags;

    @TempDir
    Path directory;

    private final List<TestFile> files = new ArrayList<>();
    private final List<FileDescriptor> open = new ArrayList<>();
    private RawPeer.Pair pair;

    @BeforeEach
    void openFilesAndSockets() throws IOException {
        keepFlags = way != Way.CHANGED;
        assumeTrue(!keepFlags || FileFlags.canBeKept(), "no io_uring");
        for (int i = 0; i < FILES; i++) {
            files.add(new TestFile(directory, "file" + i));
            open.add(files.get(i).open());
        }
        pair = RawPeer.pair(directory);
    }

    @AfterEach
    void onlyOurOwnAreOpen() throws IOException {
        if (pair == null) {
            return; // It was skipped.
        }
        pair.channel().close().syncUninterruptibly();
        for (TestFile file : files) {
            file.awaitOpenCount(1);
        }
        for (FileDescriptor descriptor : open) {
            descriptor.close();
        }
    }

    @AfterAll
    static void stopLoops() {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void receivesPipelinedPackets() throws Exception {
        AddCollector received = receive(pair.channel());
        for (int packet = 0; packet < 4; packet++) {
            sendPacket(packet * 10, 10);
        }

        received.awaitCount(40);
        pair.peer().close();
        received.assertClosedWith(0);
    }

    @Test
    void receivesByteByByte() throws Exception {
        AddCollector received = receive(pair.channel());
        for (int packet = 0; packet < 2; packet++) {
            for (Object part : packet(packet * 3, 3)) {
                if (part instanceof FileDescriptor descriptor) {
                    pair.peer().sendDescriptor(descriptor.intValue());
                    letReceiverRead();
                } else {
                    dribble((String) part);
                }
            }
        }

        received.awaitCount(6);
        pair.peer().close();
        received.assertClosedWith(0);
    }

    @Test
    void passesManyDescriptorsThrough() throws Exception {
        int packets = 1_563;
        int framesInPacket = Limits.DEFAULT.packetDescriptors();
        AddCollector received = receive(pair.channel());
        EpollDomainSocketChannel sender = sender();

        for (int packet = 0; packet < packets; packet++) {
            writePacket(sender, packet * framesInPacket, framesInPacket).sync();
        }

        received.awaitCount(packets * framesInPacket);
        assertTrue(received.count() >= 200_000);
        sender.close().sync();
        received.assertClosedWith(0);
    }

    @Test
    void waitsForSlowReceiver() throws Exception {
        pair.channel().config().setAutoRead(false);
        AddCollector received = receive(pair.channel());
        EpollDomainSocketChannel sender = sender();

        ChannelFuture last = null;
        for (int packet = 0; packet < 25; packet++) {
            last = writePacket(sender, packet * 120, 120);
        }
        // Much more than a socket takes: nobody has read it.
        assertFalse(last.isDone());
        assertEquals(0, received.count());
        pair.channel().config().setAutoRead(true);

        last.sync();
        received.awaitCount(3_000);
        sender.close().sync();
        received.assertClosedWith(0);
    }

    @Test
    void marksDescriptorThatCannotBeSent() throws Exception {
        AddCollector received = receive(pair.channel());
        EpollDomainSocketChannel sender = sender();

        sender.write(add(0, open.get(0)));
        sender.write(add(1, new FileDescriptor(1_000_000)));
        sender.writeAndFlush(add(2, open.get(2))).sync();
        writePacket(sender, 3, 1).sync();

        received.awaitCount(4);
        assertEquals(List.of(1), received.badDescriptors());
        sender.close().sync();
        received.assertClosedWith(0);
    }

    @Test
    void releasesWhatIsUnsentWhenTheReceiverDies() throws Exception {
        EpollDomainSocketChannel sender = pair.channel();
        install(sender, false);
        group.register(sender).sync();
        List<ChannelFuture> written = new ArrayList<>();
        for (int packet = 0; packet < 10; packet++) {
            for (int i = 0; i < 100; i++) {
                OwnedDescriptor owned = files.get(0).openOwned();
                written.add(sender.write(new Frame.Add(0, i, 0, new byte[1_000], new byte[0], keepFlags, owned)));
            }
            sender.flush();
        }

        pair.peer().close();

        sender.closeFuture().sync();
        for (ChannelFuture future : written) {
            assertTrue(future.await(10, TimeUnit.SECONDS));
        }
        assertFalse(written.get(written.size() - 1).isSuccess());
    }

    @RepeatedTest(120)
    void deliversEveryWholePacketOfDeadSenderThatNobodyHasReadYet(RepetitionInfo repetition) throws Exception {
        int whole = repetition.getCurrentRepetition() % 4;
        sendWholePacketsAndPartOfOne(whole, repetition.getCurrentRepetition());
        pair.peer().close();

        AddCollector received = receive(pair.channel());

        received.assertClosedWith(0);
        assertEquals(whole * 12, received.count());
    }

    @RepeatedTest(120)
    void deliversEveryWholePacketOfSenderThatDiesMeanwhile(RepetitionInfo repetition) throws Exception {
        int whole = 1 + repetition.getCurrentRepetition() % 3;
        AddCollector received = receive(pair.channel());
        sendWholePacketsAndPartOfOne(whole, repetition.getCurrentRepetition());
        pair.peer().close();

        received.assertClosedWith(0);
        assertEquals(whole * 12, received.count());
    }

    @RepeatedTest(20)
    void deliversEveryWholePacketOfDeadSenderToReceiverThatPaused(RepetitionInfo repetition) throws Exception {
        pair.channel().config().setAutoRead(false);
        AddCollector received = receive(pair.channel());
        sendWholePacketsAndPartOfOne(3, repetition.getCurrentRepetition());
        pair.peer().close();

        pair.channel().eventLoop().execute(() -> pair.channel().config().setAutoRead(true));

        received.assertClosedWith(0);
        assertEquals(3 * 12, received.count());
    }

    @Test
    void refusesBytesWithoutDescriptorWhereOneIsDue() throws Exception {
        AddCollector received = receive(pair.channel());
        pair.peer().send(prelude(1));
        letReceiverRead();
        pair.peer().send(rest(addHex(0)));

        received.assertClosedWith(1);
        assertInstanceOf(ProtocolException.class, received.failures().get(0));
        assertEquals(0, received.count());
        pair.peer().close();
    }

    /** Those that come together with the prelude are swallowed unseen; what follows must not be taken for the packet. */
    @Test
    void passesNothingOnWhenBytesCameInPlaceOfDescriptor() throws Exception {
        AddCollector received = receive(pair.channel());
        pair.peer().send(prelude(1) + rest(addHex(0)));
        if (!keepFlags) {
            // Else the first byte is noticed, and the connection closed by now.
            pair.peer().sendDescriptor(open.get(0).intValue());
        }
        pair.peer().close();

        assertTrue(pair.channel().closeFuture().await(10_000));
        assertEquals(0, received.count());
    }

    @Test
    void waitsForDescriptorThatIsLate() throws Exception {
        AddCollector received = receive(pair.channel());
        pair.peer().send(prelude(1));
        letReceiverRead();
        pair.peer().sendDescriptor(open.get(0).intValue());
        letReceiverRead();
        pair.peer().send(rest(addHex(0)));

        received.awaitCount(1);
        pair.peer().close();
        received.assertClosedWith(0);
    }

    private AddCollector receive(EpollDomainSocketChannel channel) throws InterruptedException {
        AddCollector collector = new AddCollector(channel, files);
        install(channel, true);
        channel.pipeline().addLast(collector);
        group.register(channel).sync();
        return collector;
    }

    private void install(EpollDomainSocketChannel channel, boolean daemon) {
        Wire wire = Wire.install(channel, daemon, Limits.DEFAULT);
        if (way == Way.BATCHES || way == Way.HEADS) {
            channel.pipeline().addLast(new ChannelInitializer<>() {
                @Override
                protected void initChannel(Channel registered) {
                    // On the event loop, before anything is read.
                    if (way == Way.HEADS) {
                        wire.useBatches();
                    } else {
                        wire.useBatchesAlone();
                    }
                }
            });
        }
    }

    private EpollDomainSocketChannel sender() throws InterruptedException {
        EpollDomainSocketChannel sender = pair.peer().toChannel();
        install(sender, false);
        group.register(sender).sync();
        return sender;
    }

    /** Writes a packet with consecutive indices; the descriptors stay ours. */
    private ChannelFuture writePacket(Channel sender, int from, int count) {
        for (int i = from; i < from + count - 1; i++) {
            sender.write(add(i, open.get(i % FILES)), sender.voidPromise());
        }
        int last = from + count - 1;
        return sender.writeAndFlush(add(last, open.get(last % FILES)));
    }

    private Frame add(int index, FileDescriptor descriptor) {
        return new Frame.Add(
                0, index, 0, new byte[0], new byte[0], keepFlags, new FileDescriptor(descriptor.intValue()));
    }

    // The same, without a channel.

    private void sendPacket(int from, int count) {
        packet(from, count).forEach(this::send);
    }

    /** Sends whole packets of twelve frames, and a part of one more that ends somewhere else each time. */
    private void sendWholePacketsAndPartOfOne(int whole, int cut) {
        for (int packet = 0; packet < whole; packet++) {
            sendPacket(packet * 12, 12);
        }
        List<Object> parts = packet(whole * 12, 12);
        int sent = cut % parts.size();
        parts.subList(0, sent).forEach(this::send);
        if (parts.get(sent) instanceof String bytes) {
            send(bytes.substring(0, 2 * (cut % (bytes.length() / 2))));
        }
    }

    private List<Object> packet(int from, int count) {
        List<Object> parts = new ArrayList<>();
        parts.add(prelude(count));
        StringBuilder frames = new StringBuilder();
        for (int i = from; i < from + count; i++) {
            parts.add(open.get(i % FILES));
            frames.append(addHex(i));
        }
        parts.add(rest(frames.toString()));
        return parts;
    }

    private String prelude(int count) {
        String prelude = String.format("%08x%08x", count * FRAME_LENGTH, count | (keepFlags ? 1 << 31 : 0));
        return way == Way.HEADS ? prelude + "00".repeat(HEAD - 8) : prelude;
    }

    /** Returns what follows the descriptors. */
    private String rest(String frames) {
        return way == Way.HEADS ? frames + "00".repeat(Math.max(0, HEAD - 8 - frames.length() / 2)) : frames;
    }

    private String addHex(int index) {
        return String.format("0000001002%s0000%08x0000000000000000", keepFlags ? "05" : "01", index);
    }

    private void send(Object part) {
        if (part instanceof FileDescriptor descriptor) {
            pair.peer().sendDescriptor(descriptor.intValue());
        } else {
            pair.peer().send((String) part);
        }
    }

    private void dribble(String hex) throws InterruptedException {
        for (int i = 0; i < hex.length(); i += 2) {
            pair.peer().send(hex.substring(i, i + 2));
            letReceiverRead();
        }
    }

    /** Returns after the receiver's event loop has looked at its socket at least once. */
    private void letReceiverRead() throws InterruptedException {
        for (int i = 0; i < 2; i++) {
            pair.channel().eventLoop().submit(() -> {}).sync();
        }
    }
}
