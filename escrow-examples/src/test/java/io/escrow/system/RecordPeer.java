package io.escrow.system;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A client of a record server: sends numbered records of random size and content, and checks that they come back, each
 * once, in order, to the byte. Lives on one event loop.
 */
final class RecordPeer extends SimpleChannelInboundHandler<ByteBuf> {

    /** How a client behaves. */
    enum Kind {
        /** Sends a few records at a time. */
        TALKING,
        /** Sends much, and does not read for a while. */
        NOT_READING,
        /** Sends a part of a record, and the rest later. */
        HALF_SENDING,
        /** Sends a record now and then. */
        IDLE,
        /** Shuts its output, gets its last answers, and connects again. */
        HALF_CLOSING,
        /** Sends one small record, and the next when that is answered. */
        ASKING
    }

    private final EventLoop loop;
    private final int port;
    private final RecordTransport transport;
    private final Kind kind;
    private final long seed;
    private final Random random;
    private final CompletableFuture<Void> failed;
    private final Queue<Long> unanswered = new ArrayDeque<>();
    private final CompletableFuture<Void> served = new CompletableFuture<>();
    private final CompletableFuture<Void> finished = new CompletableFuture<>();
    private Channel channel;
    private ByteBuf rest = Unpooled.EMPTY_BUFFER;
    private long next;
    private boolean shut;
    private boolean finishing;
    private int repeated;

    RecordPeer(
            EventLoop loop, int port, RecordTransport transport, Kind kind, long seed, CompletableFuture<Void> failed) {
        this.loop = loop;
        this.port = port;
        this.transport = transport;
        this.kind = kind;
        this.seed = seed;
        this.random = new Random(seed);
        this.failed = failed;
    }

    void connect() {
        shut = false;
        new Bootstrap()
                .group(loop)
                .channelFactory(EpollSocketChannel::new)
                .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        channel = ch;
                        if (kind == Kind.HALF_SENDING) {
                            ch.pipeline().addLast(new HalfSending(random));
                        }
                        transport.addToClient(ch.pipeline());
                        ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), RecordPeer.this);
                    }
                })
                .connect("127.0.0.1", port)
                .addListener(f -> {
                    if (!f.isSuccess() && !finished.isDone()) {
                        failed.completeExceptionally(f.cause());
                    }
                });
    }

    @Override
    public boolean isSharable() {
        return true;
    }

    private void later(Runnable action) {
        loop.schedule(action, 1 + random.nextInt(kind == Kind.IDLE ? 1000 : 60), TimeUnit.MILLISECONDS);
    }

    private void act() {
        if (shut || !channel.isActive()) {
            return;
        }
        if (rest.isReadable()) {
            send(rest.readRetainedSlice(1 + random.nextInt(rest.readableBytes())));
        } else if (finishing) {
            channel.config().setAutoRead(true);
            finishIfDone();
            return;
        } else if (kind == Kind.NOT_READING) {
            channel.config().setAutoRead(random.nextInt(4) == 0 || unanswered.size() > 2000);
            if (unanswered.size() <= 2000) {
                send(records(20));
            }
        } else if (kind == Kind.HALF_SENDING) {
            rest.release();
            rest = records(1);
        } else if (kind == Kind.HALF_CLOSING && random.nextInt(10) == 0) {
            shut = true;
            DuplexChannel connection = (DuplexChannel) channel;
            send(records(50)).addListener(f -> connection.shutdownOutput());
        } else if (kind == Kind.ASKING) {
            if (unanswered.isEmpty()) {
                send(records(1));
            }
            return;
        } else {
            send(records(1 + random.nextInt(3)));
        }
        later(this::act);
    }

    private ChannelFuture send(ByteBuf bytes) {
        return channel.writeAndFlush(bytes);
    }

    private ByteBuf records(int count) {
        ByteBuf out = Unpooled.buffer();
        for (int i = 0; i < count; i++) {
            unanswered.add(next);
            write(out, next++);
        }
        return out;
    }

    private void write(ByteBuf out, long number) {
        Random content = new Random(seed * 1_000_003 + number);
        byte[] bytes = new byte[content.nextInt(kind == Kind.ASKING ? 1000 : 5000)];
        content.nextBytes(bytes);
        out.writeInt(Long.BYTES + bytes.length).writeLong(number).writeBytes(bytes);
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf answer) {
        long number = answer.getLong(Integer.BYTES);
        if (repeated > 0 && (unanswered.isEmpty() || number < unanswered.element())) {
            // It was late, and not lost.
            repeated--;
            return;
        }
        Long expected = unanswered.poll();
        ByteBuf record = Unpooled.buffer();
        write(record, expected == null ? -1 : expected);
        if (!record.equals(answer)) {
            int from = Arrays.mismatch(ByteBufUtil.getBytes(record), ByteBufUtil.getBytes(answer));
            failed.completeExceptionally(new AssertionError(kind + " got " + answer.readableBytes() + " bytes, record "
                    + number + ", where " + expected + " was due, " + record.readableBytes() + " bytes; from byte "
                    + from + " on they differ"));
        }
        served.complete(null);
        if (kind == Kind.ASKING && !finishing) {
            later(this::act);
        }
        finishIfDone();
    }

    /** Sends what is not answered again: the process that had read it was killed. */
    void repeat() {
        loop.execute(() -> {
            if (!unanswered.isEmpty()) {
                repeated++;
                ByteBuf out = Unpooled.buffer();
                write(out, unanswered.element());
                send(out);
            }
        });
    }

    /** Sends no new records; done when all are answered. */
    CompletableFuture<Void> finish() {
        loop.execute(() -> {
            finishing = true;
            finishIfDone();
        });
        return finished;
    }

    private void finishIfDone() {
        if (finishing && unanswered.isEmpty() && !rest.isReadable()) {
            finished.complete(null);
            channel.close();
        } else if (finishing && channel.isActive()) {
            channel.config().setAutoRead(true);
        }
    }

    /** Returns what is done when the first answer is there. */
    CompletableFuture<Void> served() {
        return served;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == RecordTransport.READY) {
            later(this::act);
        } else if (event == ChannelInputShutdownEvent.INSTANCE) {
            ctx.close();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (finished.isDone()) {
            return;
        }
        if (shut && unanswered.isEmpty()) {
            if (finishing) {
                finished.complete(null);
            } else {
                connect();
            }
        } else {
            failed.completeExceptionally(
                    new AssertionError(kind + " was disconnected, " + unanswered.size() + " unanswered"));
        }
    }

    @Override
    public String toString() {
        return kind + " by " + transport + ", " + channel + ", awaits " + unanswered + " of " + next
                + ", repeated and unanswered " + repeated;
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        failed.completeExceptionally(cause);
    }
}
