package io.escrow.codec;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Measures what the handlers of {@link Wire} spend on one packet of 128 ADD frames with a descriptor and a payload of
 * 64 bytes each. Nothing passes a socket: what is written
 * is released behind the handlers, and what is read was made beforehand.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(2)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class PacketBenchmark {

    private static final int FRAMES = 128;
    private static final int PAYLOAD = 64;
    /** Numbers of descriptors that are not open: nothing is sent, received or closed. */
    private static final int UNUSED = 1_000_000;

    /** Who sends the packet: a client its requests, or the daemon its answers to GET. */
    public enum Kind {
        /** ADD requests. */
        REQUESTS,
        /** Answers to GET. */
        ANSWERS
    }

    /** What the packet consists of. */
    @Param
    public Kind kind;

    private final List<Frame> frames = new ArrayList<>();
    private final List<OwnedDescriptor> descriptors = new ArrayList<>();
    private final Sink sink = new Sink();
    private final Collector collector = new Collector();
    private SocketChannel sender;
    private EmbeddedChannel receiver;
    private ByteBuf prelude;
    private ByteBuf body;

    /** Encodes the packet once, for the decoder. */
    @Setup(Level.Trial)
    public void encodeOnce() {
        boolean answers = kind == Kind.ANSWERS;
        sender = new SocketChannel();
        sender.pipeline()
                .addLast(
                        sink,
                        new PacketEncoder(Limits.DEFAULT, answers),
                        new FrameCodec(answers, Limits.DEFAULT, false));
        receiver = new EmbeddedChannel(
                new PacketDecoder(Limits.DEFAULT), new FrameCodec(!answers, Limits.DEFAULT), collector);
        for (int i = 0; i < FRAMES; i++) {
            frames.add(new Frame.Add(1, i, -1, new byte[PAYLOAD], new FileDescriptor(UNUSED + i)));
            descriptors.add(new OwnedDescriptor(UNUSED + i));
        }
        List<ByteBuf> written = new ArrayList<>();
        sink.copies = written;
        encode();
        sink.copies = null;
        prelude = written.get(0);
        body = written.get(1);
        if (decode() != FRAMES) {
            throw new IllegalStateException("frames decoded: " + collector.frames + " (expected: " + FRAMES + ")");
        }
    }

    /** Releases the packet. */
    @TearDown(Level.Trial)
    public void release() throws IOException {
        prelude.release();
        body.release();
        sender.finishAndReleaseAll();
        receiver.finishAndReleaseAll();
        sender.socket.close();
    }

    /**
     * Writes the frames and flushes them.
     *
     * @return how many messages came out for the socket
     */
    @Benchmark
    public int encode() {
        sink.messages = 0;
        for (Frame frame : frames) {
            sender.write(frame, sender.voidPromise());
        }
        sender.flush();
        return sink.messages;
    }

    /**
     * Reads the packet as it comes from the socket: the prelude, the descriptors, the frames.
     *
     * @return how many frames came out
     */
    @Benchmark
    public int decode() {
        collector.frames = 0;
        receiver.writeOneInbound(prelude.retainedDuplicate());
        for (OwnedDescriptor descriptor : descriptors) {
            receiver.writeOneInbound(descriptor.retain());
        }
        receiver.writeOneInbound(body.retainedDuplicate());
        return collector.frames;
    }

    /** Has a socket, as the encoder expects; nothing is sent on it. */
    private static final class SocketChannel extends EmbeddedChannel implements UnixChannel {
        private final Socket socket;

        SocketChannel() {
            Epoll.ensureAvailability();
            socket = Socket.newSocketDomain();
        }

        @Override
        public FileDescriptor fd() {
            return socket;
        }
    }

    /** Takes what is written, in the place of the socket. */
    private static final class Sink extends ChannelOutboundHandlerAdapter {
        private List<ByteBuf> copies;
        private int messages;

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            messages++;
            if (copies != null && msg instanceof ByteBuf bytes) {
                copies.add(bytes.copy());
            }
            ReferenceCountUtil.release(msg);
            promise.trySuccess();
        }

        @Override
        public void flush(ChannelHandlerContext ctx) {}
    }

    /** Takes the frames and lets go of their descriptors. */
    private static final class Collector extends ChannelInboundHandlerAdapter {
        private int frames;

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof Frame.Add add) {
                frames++;
                ReferenceCountUtil.release(add.descriptor());
            }
        }
    }
}
