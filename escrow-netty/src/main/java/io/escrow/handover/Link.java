package io.escrow.handover;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.Socket;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Lets two processes talk while connections move from one to the other in waves. What comes in is for one thread; what
 * goes out may come from any.
 */
final class Link implements AutoCloseable {

    /** What is said, by the one that hands over (O) and by the next one (N), in this order. */
    enum Kind {
        /** O: begin. */
        WELCOME(1),
        /** O: not now, come back when it is your turn again. */
        LATER(2),
        /** N: all descriptors are here. */
        READY(3),
        /** O: a connection of this wave, at rest. */
        MOVED(4),
        /** O: this is the whole wave. */
        WAVE(5),
        /** N: from now on this wave is mine. Names those that are not, because their descriptors are not here. */
        TAKEN(6),
        /** O, any time: a connection has ended, or stays here. */
        GONE(7),
        /** O: that was all. */
        DONE(8),
        /** The other process has died, or has closed the link. */
        END(9);

        private final int code;

        Kind(int code) {
            this.code = code;
        }

        private static Kind of(int code) {
            for (Kind kind : values()) {
                if (kind.code == code) {
                    return kind;
                }
            }
            throw new DecoderException("message of kind " + code + " (expected: 1 to " + END.code + ")");
        }
    }

    /**
     * Is one thing said.
     *
     * @param index the index of the connection's slot, where there is one
     * @param content more about it, which needs no release; empty where there is no more
     */
    record Message(Kind kind, int index, ByteBuf content) {}

    private static final int LENGTH_BYTES = 4;

    private final BlockingQueue<Message> received = new LinkedBlockingQueue<>();
    private final EpollDomainSocketChannel channel;

    /** Talks over a connected socket, which it owns. */
    Link(EventLoop loop, int socket) {
        channel = new EpollDomainSocketChannel(socket);
        new Bootstrap()
                .group(loop)
                .channelFactory(() -> channel)
                .handler(new ChannelInitializer<EpollDomainSocketChannel>() {
                    @Override
                    protected void initChannel(EpollDomainSocketChannel ch) {
                        ch.pipeline()
                                .addLast(new LengthFieldBasedFrameDecoder(
                                        Integer.MAX_VALUE, 0, LENGTH_BYTES, 0, LENGTH_BYTES))
                                .addLast(new LengthFieldPrepender(LENGTH_BYTES))
                                .addLast(new Receiver());
                    }
                })
                .register();
    }

    /** Says something; it is under way when {@link #flush} is called. */
    ChannelFuture write(Kind kind, int index, byte[] bytes) {
        ByteBuf out = channel.alloc().buffer(Byte.BYTES + Integer.BYTES + bytes.length);
        out.writeByte(kind.code).writeInt(index).writeBytes(bytes);
        return channel.write(out);
    }

    /** Says something at once. */
    ChannelFuture send(Kind kind, int index, byte[] bytes) {
        ChannelFuture sent = write(kind, index, bytes);
        flush();
        return sent;
    }

    void flush() {
        channel.flush();
    }

    /** Waits for what is said next; returns {@code null} if nothing is said in time. Nothing is said after the end. */
    Message receive(long nanos) {
        try {
            return received.poll(nanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /** Waits for what is said next. */
    Message receive() {
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

    EventLoop loop() {
        return channel.eventLoop();
    }

    /** Sees to it that nothing more gets through in either direction; what has got here already can still be read. */
    void cut() {
        Loops.call(loop(), () -> {
                    if (channel.isOpen()) {
                        // A socket of its own, so that the channel does not know, and reads on to the end.
                        new Socket(channel.fd().intValue()).shutdown(true, true);
                    }
                    return null;
                })
                .exceptionally(failure -> null) // It has gone already.
                .join();
    }

    @Override
    public void close() {
        channel.close();
    }

    private final class Receiver extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf in) {
            received.add(new Message(Kind.of(in.readByte()), in.readInt(), Unpooled.copiedBuffer(in)));
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            received.add(new Message(Kind.END, 0, Unpooled.EMPTY_BUFFER));
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
