package io.escrow.handover.link;

import io.escrow.Deposit;
import io.escrow.internal.EventLoops;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.Socket;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Carries the messages of two processes while connections move from one to the other in waves, as RECORDS.md specifies
 * them. Messages that come in are for one thread; messages may be sent by any.
 */
public final class ProcessLink implements AutoCloseable {

    /** Enumerates the messages of the process that hands over (O) and of the next one (N), in their order. */
    public enum Kind {
        /** O: begin. Carries {@link ProtocolVersion}. */
        WELCOME(1),
        /** O: not now, come back when it is your turn again. */
        LATER(2),
        /** N: all descriptors are here. Carries {@link ProtocolVersion}. */
        READY(3),
        /** O: a connection of this wave, at rest. */
        MOVED(4),
        /** O: this is the whole wave. */
        WAVE(5),
        /** N: from now on this wave is mine. Names those that are not, because they can't go on here. */
        TAKEN(6),
        /** O, any time: a connection has ended, or stays here. */
        GONE(7),
        /** O: that was all. */
        DONE(8),
        /** The other process has died, has closed the link, or has sent no message. Never sent. */
        END(9);

        private static final Kind[] ALL = values();

        private final int code;

        Kind(int code) {
            this.code = code;
        }

        private static Kind of(int code) {
            for (Kind kind : ALL) {
                if (kind.code == code && kind != END) {
                    return kind;
                }
            }
            throw new DecoderException("message of kind " + code + " (expected: 1 to " + DONE.code + ")");
        }
    }

    /**
     * Holds one message.
     *
     * @param index the index of the connection's slot, where there is one
     * @param content more about it, from its position on; empty where there is no more
     */
    public record Message(Kind kind, int index, ByteBuffer content) {}

    /** The longest message: the record of a connection with what its peer has not taken yet. */
    private static final int MAX_LENGTH = 1 << 30;

    private static final int LENGTH_BYTES = 4;

    /** So many bytes of messages at least are given to Netty in one piece, unless they are sent before. */
    private static final int PIECE = 1 << 16;

    private final BlockingQueue<Message> received = new LinkedBlockingQueue<>();
    private final EpollDomainSocketChannel channel;

    /** The messages that were written, and not given to Netty yet; {@code null} if there are none. */
    private ByteBuf written;

    /** Uses a connected socket, which the link owns. */
    public ProcessLink(EventLoop loop, int socket) {
        channel = EventLoops.levelTriggered(new EpollDomainSocketChannel(socket));
        channel.pipeline()
                .addLast(new LengthFieldBasedFrameDecoder(MAX_LENGTH, 0, LENGTH_BYTES, 0, LENGTH_BYTES))
                .addLast(new Receiver());
        channel.closeFuture().addListener(closed -> releaseWritten());
        loop.register(channel);
        EventLoops.closeWithLoop(channel);
    }

    /** Writes a message; it is sent with those behind it, when {@link #flush} is called at the latest. */
    public void write(Kind kind, int index, byte[] bytes) {
        write(kind, index, bytes.length, out -> out.writeBytes(bytes));
    }

    /**
     * Writes a message as {@link #write(Kind, int, byte[])} does.
     *
     * @param length how many bytes the content has
     * @param content writes the content
     */
    public synchronized void write(Kind kind, int index, int length, Consumer<ByteBuf> content) {
        if (!channel.isOpen()) {
            return;
        }
        if (written == null) {
            written = channel.alloc().buffer();
        }
        int before = written.writerIndex();
        try {
            written.writeInt(Byte.BYTES + Integer.BYTES + length);
            written.writeByte(kind.code).writeInt(index);
            content.accept(written);
        } catch (RuntimeException e) {
            // No half of a message goes out.
            written.writerIndex(before);
            throw e;
        }
        if (written.readableBytes() >= PIECE) {
            channel.write(takeWritten());
        }
    }

    /** Sends a message at once. */
    public synchronized ChannelFuture send(Kind kind, int index, byte[] bytes) {
        write(kind, index, bytes);
        return channel.writeAndFlush(takeWritten());
    }

    private ByteBuf takeWritten() {
        ByteBuf taken = written == null ? Unpooled.EMPTY_BUFFER : written;
        written = null;
        return taken;
    }

    private synchronized void releaseWritten() {
        takeWritten().release();
    }

    /** Sends a message without an index or a content at once. */
    public ChannelFuture send(Kind kind) {
        return send(kind, 0, Deposit.NO_BYTES);
    }

    /** Sends what was written. */
    public synchronized void flush() {
        channel.writeAndFlush(takeWritten());
    }

    /** Waits for the next message; returns {@code null} if none comes in time. None comes after {@link Kind#END}. */
    public Message receive(long nanos) {
        try {
            return received.poll(nanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /** Waits for the next message. */
    public Message receive() {
        try {
            return received.take();
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static IllegalStateException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new IllegalStateException("interrupted while connections move", e);
    }

    /** Returns the event loop of the socket. */
    public EventLoop loop() {
        return channel.eventLoop();
    }

    /** Lets nothing more through in either direction; what has arrived here can still be read. */
    public void cut() {
        EventLoops.call(loop(), () -> {
                    if (channel.isOpen()) {
                        // A socket of its own, so that the channel does not know, and reads on to the end.
                        new Socket(channel.fd().intValue()).shutdown(true, true);
                    }
                    return null;
                })
                .exceptionally(failure -> null) // The channel has gone already.
                .join();
    }

    @Override
    public void close() {
        channel.close();
    }

    private final class Receiver extends SimpleChannelInboundHandler<ByteBuf> {
        private boolean failed;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf in) {
            if (failed) {
                return;
            }
            Kind kind = Kind.of(in.readByte());
            int index = in.readInt();
            received.add(new Message(kind, index, ByteBuffer.wrap(ByteBufUtil.getBytes(in))));
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            received.add(new Message(Kind.END, 0, ByteBuffer.allocate(0)));
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            // What came in with it is not heard any more.
            failed = true;
            ctx.close();
        }
    }
}
