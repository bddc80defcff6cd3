package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Deposit;
import io.escrow.Limits;
import io.escrow.Status;
import io.escrow.testing.TestFile;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PacketEncoderTest {

    private static final int FRAME = 100;

    @TempDir
    Path directory;

    private Socket socket;
    private PacketEncoder encoder;
    private SocketChannel channel;

    @BeforeEach
    void open() {
        Epoll.ensureAvailability();
        socket = Socket.newSocketDomain();
        encoder = new PacketEncoder(new Limits(32, 64, 3 * FRAME, 2, 1024, 2, 0));
        channel = new SocketChannel(encoder, socket);
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertFalse(channel.finish());
        socket.close();
    }

    @Test
    void gathersFramesUntilFlush() {
        ChannelFuture first = channel.write(frame(1));
        ChannelFuture second = channel.write(frame(2));
        assertNull(channel.readOutbound());

        channel.flush();

        assertPacket(1, 2);
        assertNull(channel.readOutbound());
        assertTrue(first.isSuccess() && second.isSuccess());
    }

    @Test
    void putsDescriptorsBeforeFrames() throws IOException {
        TestFile file = new TestFile(directory, "a");
        channel.write(frame(1));
        channel.write(file.openOwned());
        channel.write(frame(2));
        channel.write(file.openOwned());
        channel.flush();

        assertPrelude(2 * FRAME, 2);
        assertInstanceOf(DescriptorRegion.class, channel.readOutbound()).release();
        assertInstanceOf(DescriptorRegion.class, channel.readOutbound()).release();
        assertFrames(1, 2);
        assertEquals(0, file.openCount());
    }

    @Test
    void beginsNextPacketWithFrameThatDoesNotFit() {
        for (int i = 1; i <= 4; i++) {
            channel.write(new Frame.Add(0, i, -1, new byte[FRAME - 20], Deposit.NO_BYTES, false, null));
        }
        channel.flush();

        assertPrelude(3 * FRAME, 0, PacketDecoder.PRELUDE_LENGTH + 3 * FRAME);
        ByteBuf next = channel.readOutbound();
        assertEquals(FRAME, next.getInt(0));
        assertEquals(4, next.getInt(PacketDecoder.PRELUDE_LENGTH + 8));
        assertEquals(PacketDecoder.PRELUDE_LENGTH + FRAME, next.readableBytes());
        next.release();
    }

    @Test
    void putsFramesWithDescriptorsIntoPacketsAsBuffers() throws IOException {
        TestFile file = new TestFile(directory, "a");
        for (int i = 1; i <= 3; i++) {
            channel.write(new Frame.Add(0, i, 5, new byte[0], Deposit.NO_BYTES, false, file.openOwned()));
        }
        channel.flush();

        assertPrelude(2 * 20, 2);
        releaseRegions(2);
        ByteBuf frames = channel.readOutbound();
        assertEquals(FrameCodec.DESCRIPTOR, frames.getByte(frames.readerIndex() + FrameCodec.FLAGS_OFFSET));
        frames.release();
        assertPrelude(20, 1);
        releaseRegions(1);
        ((ByteBuf) channel.readOutbound()).release();
        assertEquals(0, file.openCount());
    }

    @Test
    void leavesNothingOfFrameThatCannotBeSent() {
        ChannelFuture failed = channel.write(new Frame.Invalid(Status.EINVAL, "never sent"));
        channel.flush();
        assertNull(channel.readOutbound());
        assertInstanceOf(IllegalArgumentException.class, failed.cause());

        channel.writeAndFlush(new Frame.Delete(0, 7));
        assertPrelude(12, 0, PacketDecoder.PRELUDE_LENGTH + 12);
    }

    @Test
    void answersAsDaemon() {
        channel.pipeline().replace(encoder, "daemon", new PacketEncoder(Limits.DEFAULT, true));
        channel.writeAndFlush(Frame.Reply.OK);
        ByteBuf first = channel.readOutbound();
        channel.writeAndFlush(new Frame.Reply(Status.OK, ""));
        ByteBuf second = channel.readOutbound();

        assertEquals("00000010000000000000000c05800000" + "0000000000000000", ByteBufUtil.hexDump(first));
        assertEquals(ByteBufUtil.hexDump(first), ByteBufUtil.hexDump(second));
        first.release();
        second.release();
    }

    @Test
    void fillsHeadOfPacketButNotOfHello() {
        encoder.useHeads(false);
        ByteBuf hello = frame(1);
        hello.setByte(FrameCodec.OPCODE_OFFSET, Opcode.HEL.code);
        channel.writeAndFlush(hello);
        assertPrelude(FRAME, 0, PacketDecoder.PRELUDE_LENGTH + FRAME);
        channel.writeAndFlush(frame(2));
        assertPrelude(FRAME, 0, PacketDecoder.HEAD_LENGTH);
    }

    @Test
    void leavesGapBeforeDescriptorsThatGoOneByOne() {
        encoder.useHeads(false);
        channel.write(frame(1));
        channel.write(new FileDescriptor(1_000_000));
        channel.flush();

        assertPrelude(FRAME, 1);
        int rest = PacketDecoder.HEAD_LENGTH - PacketDecoder.PRELUDE_LENGTH;
        assertZeros(rest, 0);
        releaseRegions(1);
        assertZeros(rest, FRAME);
    }

    private void assertPrelude(int length, int descriptors, int bytes) {
        ByteBuf packet = channel.readOutbound();
        assertEquals(length, packet.readInt());
        assertEquals(descriptors, packet.readInt());
        assertEquals(bytes - PacketDecoder.PRELUDE_LENGTH, packet.readableBytes());
        packet.release();
    }

    private void assertZeros(int length, int from) {
        ByteBuf bytes = channel.readOutbound();
        assertEquals(length, bytes.readableBytes());
        assertEquals(-1, bytes.skipBytes(from).forEachByte(b -> b == 0));
        bytes.release();
    }

    @Test
    void marksPacketThatHoldsMarkedFrame() {
        for (int flags : new int[] {FrameCodec.DESCRIPTOR, FrameCodec.DESCRIPTOR | FrameCodec.KEEP_FLAGS, 0, 1}) {
            ByteBuf frame = frame(1);
            frame.setByte(FrameCodec.FLAGS_OFFSET, flags);
            channel.write(frame);
            if (flags != 0) {
                channel.write(new FileDescriptor(1_000_000));
            }
        }
        channel.flush();

        assertPrelude(2 * FRAME, 2 | 1 << 31);
        releaseRegions(2);
        ((ByteBuf) channel.readOutbound()).release();
        assertPrelude(2 * FRAME, 1);
        releaseRegions(1);
        ((ByteBuf) channel.readOutbound()).release();
    }

    @Test
    void beginsNextPacketWhenBytesWouldBeTooMany() {
        for (int i = 1; i <= 7; i++) {
            channel.write(frame(i));
        }
        channel.flush();

        assertPacket(1, 2, 3);
        assertPacket(4, 5, 6);
        assertPacket(7);
    }

    @Test
    void beginsNextPacketWhenDescriptorsWouldBeTooMany() {
        for (int i = 1; i <= 3; i++) {
            channel.write(frame(i));
            channel.write(new FileDescriptor(1_000_000));
        }
        channel.flush();

        assertPrelude(2 * FRAME, 2);
        releaseRegions(2);
        assertFrames(1, 2);
        assertPrelude(FRAME, 1);
        releaseRegions(1);
        assertFrames(3);
    }

    @Test
    void completesPromisesWithTheirOwnPacket() {
        for (int i = 1; i <= 3; i++) {
            channel.write(frame(i)).addListener(f -> channel.completed++);
        }
        channel.write(frame(4)).addListener(f -> channel.completed++);
        channel.runPendingTasks();
        assertEquals(0, channel.completed);

        channel.flush();
        channel.runPendingTasks();

        assertEquals(4, channel.completed);
        channel.releaseOutbound();
    }

    @Test
    void flushesNothingWhenNothingWasWritten() {
        channel.flush();

        assertNull(channel.readOutbound());
    }

    @Test
    void dropsAndFailsWhatWasNotFlushedWhenTheChannelCloses() throws IOException {
        TestFile file = new TestFile(directory, "a");
        ChannelFuture written = channel.write(frame(1));
        channel.write(file.openOwned());

        channel.close();

        assertInstanceOf(ClosedChannelException.class, written.cause());
        assertNull(channel.readOutbound());
        assertEquals(0, file.openCount());
    }

    @Test
    void closesDescriptorsOfPacketThatCannotBeWritten() throws IOException {
        TestFile file = new TestFile(directory, "a");
        channel.pipeline().addFirst(new RefusingHandler());
        ChannelFuture written = channel.write(frame(1));
        channel.write(file.openOwned());
        channel.flush();

        assertInstanceOf(ClosedChannelException.class, written.cause());
        assertEquals(0, file.openCount());
    }

    private static ByteBuf frame(int content) {
        return Unpooled.buffer(FRAME).writeInt(content).writeZero(FRAME - 4);
    }

    private void assertPrelude(int length, int descriptors) {
        ByteBuf prelude = channel.readOutbound();
        assertEquals(String.format("%08x%08x", length, descriptors), ByteBufUtil.hexDump(prelude));
        prelude.release();
    }

    /** Checks a packet without descriptors, which is one buffer. */
    private void assertPacket(int... contents) {
        ByteBuf packet = channel.readOutbound();
        assertEquals(contents.length * FRAME, packet.readInt());
        assertEquals(0, packet.readInt());
        assertFrames(packet.slice(), contents);
    }

    private void assertFrames(int... contents) {
        ByteBuf packet = channel.readOutbound();
        assertFrames(packet.slice(), contents);
    }

    private static void assertFrames(ByteBuf frames, int... contents) {
        assertEquals(contents.length * FRAME, frames.readableBytes());
        for (int i = 0; i < contents.length; i++) {
            assertEquals(contents[i], frames.getInt(i * FRAME));
        }
        frames.release();
    }

    private void releaseRegions(int count) {
        for (int i = 0; i < count; i++) {
            assertInstanceOf(DescriptorRegion.class, channel.readOutbound()).release();
        }
    }

    /** Has a socket, as the encoder expects; nothing is sent on it. */
    private static final class SocketChannel extends EmbeddedChannel implements UnixChannel {

        private final Socket socket;
        int completed;

        SocketChannel(PacketEncoder encoder, Socket socket) {
            super(encoder);
            this.socket = socket;
        }

        @Override
        public FileDescriptor fd() {
            return socket;
        }
    }

    /** Refuses every write, as a channel does whose output is shut. */
    private static final class RefusingHandler extends ChannelOutboundHandlerAdapter {

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ReferenceCountUtil.release(msg);
            promise.tryFailure(new ClosedChannelException());
        }
    }
}
