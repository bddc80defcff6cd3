package io.escrow.examples.bench;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.Future;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Clients of an echo server that come and go, on one event loop. Each connects, exchanges a few messages, and ends in one
 * of several ways. Then the next one connects.
 */
final class SoakClients {

    private static final int MESSAGE_LENGTH = 64;
    private static final int PAUSE_MILLIS = 50;
    private static final int MAX_MESSAGES = 5;
    /** A killed server never answers what it has read. So a client stops waiting after this time. */
    private static final int ANSWER_SECONDS = 5;

    private static final int STOP_SECONDS = 30;

    private enum Ending {
        CLOSE,
        RESET,
        SHUTDOWN
    }

    private final EventLoop loop;
    private final int port;
    private final int atOnce;
    private CompletableFuture<Void> stopped = CompletableFuture.completedFuture(null);
    private boolean running;
    private int open;
    private volatile long opened;
    private volatile long unanswered;

    SoakClients(EventLoopGroup group, int port, int atOnce) {
        this.loop = group.next();
        this.port = port;
        this.atOnce = atOnce;
    }

    /** Returns the number of connections so far. */
    long opened() {
        return opened;
    }

    /** Returns the number of clients that got no answer in time. */
    long unanswered() {
        return unanswered;
    }

    void start() throws InterruptedException, ExecutionException {
        loop.submit(() -> {
                    running = true;
                    stopped = new CompletableFuture<>();
                    while (open < atOnce) {
                        connect();
                    }
                })
                .get();
    }

    /** Ends all clients, and waits until the last one has ended. */
    void stop() throws InterruptedException, ExecutionException, TimeoutException {
        loop.submit(() -> {
                    running = false;
                    return stopped;
                })
                .get()
                .get(STOP_SECONDS, TimeUnit.SECONDS);
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // only the event loop writes
    private void connect() {
        open++;
        opened++;
        int number = (int) opened;
        new Bootstrap()
                .group(loop)
                .channelFactory(EpollSocketChannel::new)
                .handler(new Client(
                        1 + number % MAX_MESSAGES, Ending.values()[number / MAX_MESSAGES % Ending.values().length]))
                .connect("127.0.0.1", port)
                .addListener(connected -> {
                    if (!connected.isSuccess()) {
                        loop.schedule(this::ended, PAUSE_MILLIS, TimeUnit.MILLISECONDS);
                    }
                });
    }

    private void ended() {
        open--;
        if (running) {
            connect();
        } else if (open == 0) {
            stopped.complete(null);
        }
    }

    private final class Client extends ChannelInboundHandlerAdapter {
        private final Ending ending;
        private int messagesLeft;
        private int bytesLeft;
        private Future<?> timeout;

        Client(int messages, Ending ending) {
            this.messagesLeft = messages;
            this.ending = ending;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            send(ctx);
        }

        @SuppressWarnings("NonAtomicVolatileUpdate") // only the event loop writes
        private void send(ChannelHandlerContext ctx) {
            messagesLeft--;
            bytesLeft = MESSAGE_LENGTH;
            ctx.writeAndFlush(ctx.alloc().buffer().writeZero(MESSAGE_LENGTH), ctx.voidPromise());
            timeout = loop.schedule(
                    () -> {
                        unanswered++;
                        ctx.close();
                    },
                    ANSWER_SECONDS,
                    TimeUnit.SECONDS);
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            bytesLeft -= ((ByteBuf) msg).readableBytes();
            ((ByteBuf) msg).release();
            if (bytesLeft > 0) {
                return;
            }
            timeout.cancel(false);
            loop.schedule(
                    () -> {
                        if (!ctx.channel().isActive()) {
                            return;
                        }
                        if (messagesLeft > 0 && running) {
                            send(ctx);
                        } else {
                            end(ctx);
                        }
                    },
                    PAUSE_MILLIS,
                    TimeUnit.MILLISECONDS);
        }

        private void end(ChannelHandlerContext ctx) {
            switch (ending) {
                case RESET -> {
                    ctx.channel().config().setOption(ChannelOption.SO_LINGER, 0);
                    ctx.close();
                }
                case SHUTDOWN -> {
                    ((EpollSocketChannel) ctx.channel()).shutdownOutput();
                    timeout = loop.schedule(() -> ctx.close(), ANSWER_SECONDS, TimeUnit.SECONDS);
                }
                case CLOSE -> ctx.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            timeout.cancel(false);
            ended();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
