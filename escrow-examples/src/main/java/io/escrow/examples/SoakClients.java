package io.escrow.examples;

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
 * Clients of an echo server that come and go: each connects, talks a little, and ends in one of several ways; then the
 * next one comes. Everything happens on one event loop.
 */
final class SoakClients {

    private static final int MESSAGE_LENGTH = 64;
    private static final int PAUSE_MILLIS = 50;
    private static final int MOST_MESSAGES = 5;
    /** A server that is killed loses what it has read and not answered; then a client waits in vain. */
    private static final int PATIENCE_SECONDS = 5;

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

    /** Returns how many connections there have been. */
    long opened() {
        return opened;
    }

    /** Returns how many clients have given up waiting for an answer. */
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

    /** Lets each client end, and returns when none is left. */
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
                        1 + number % MOST_MESSAGES, Ending.values()[number / MOST_MESSAGES % Ending.values().length]))
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
        private Future<?> patience;

        Client(int messages, Ending ending) {
            this.messagesLeft = messages;
            this.ending = ending;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            say(ctx);
        }

        @SuppressWarnings("NonAtomicVolatileUpdate") // only the event loop writes
        private void say(ChannelHandlerContext ctx) {
            messagesLeft--;
            bytesLeft = MESSAGE_LENGTH;
            ctx.writeAndFlush(ctx.alloc().buffer().writeZero(MESSAGE_LENGTH), ctx.voidPromise());
            patience = loop.schedule(
                    () -> {
                        unanswered++;
                        ctx.close();
                    },
                    PATIENCE_SECONDS,
                    TimeUnit.SECONDS);
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            bytesLeft -= ((ByteBuf) msg).readableBytes();
            ((ByteBuf) msg).release();
            if (bytesLeft > 0) {
                return;
            }
            patience.cancel(false);
            loop.schedule(
                    () -> {
                        if (!ctx.channel().isActive()) {
                            return;
                        }
                        if (messagesLeft > 0 && running) {
                            say(ctx);
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
                    patience = loop.schedule(() -> ctx.close(), PATIENCE_SECONDS, TimeUnit.SECONDS);
                }
                case CLOSE -> ctx.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            patience.cancel(false);
            ended();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
