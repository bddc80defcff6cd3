package io.escrow.examples;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.HdrHistogram.Histogram;

/**
 * Clients of an echo server, on one event loop. Some talk: they send the time at fixed intervals, whether they have got
 * an answer or not, so that a pause is seen in full.
 */
final class PauseClients implements AutoCloseable {

    private static final int TIMEOUT_SECONDS = 30;

    private final EventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("clients", true), EpollIoHandler.newFactory());
    private final List<Client> clients = new ArrayList<>();
    private final List<Client> talking = new ArrayList<>();
    private Future<?> ticker;
    private int turn;
    private int closed;

    void connect(int port, int count) throws InterruptedException, IOException {
        while (clients.size() < count) {
            Client client = new Client();
            var connected = new Bootstrap()
                    .group(group)
                    .channelFactory(EpollSocketChannel::new)
                    .handler(client)
                    .connect("127.0.0.1", port)
                    .await();
            if (!connected.isSuccess()) {
                throw new IOException("only " + clients.size() + " of " + count + " connections (see ulimit -n): "
                        + connected.cause().getMessage());
            }
            clients.add(client);
        }
    }

    /** Lets the first so many connections talk, each once in an interval. */
    void talk(int count, int intervalMillis) {
        talking.addAll(clients.subList(0, count));
        int each = Math.max(1, count / intervalMillis);
        ticker = group.next()
                .scheduleAtFixedRate(
                        () -> {
                            for (int i = 0; i < each; i++) {
                                talking.get(turn++ % count).send();
                            }
                        },
                        0,
                        1,
                        TimeUnit.MILLISECONDS);
    }

    /** Forgets how long answers took until now. */
    void forget() throws InterruptedException, ExecutionException {
        group.next().submit(() -> talking.forEach(client -> client.longest = 0)).get();
    }

    /** Returns the longest time, in microseconds, that each talking connection has waited for an answer. */
    Histogram longestWaits() throws InterruptedException, ExecutionException {
        return group.next()
                .submit(() -> {
                    Histogram histogram = new Histogram(3);
                    talking.forEach(client -> histogram.recordValue(client.longest / 1000));
                    return histogram;
                })
                .get();
    }

    /** Asks on each connection, and waits for the answers; returns how many connections are left. */
    int askAll() throws InterruptedException, ExecutionException, TimeoutException {
        List<CompletableFuture<Void>> answers = new ArrayList<>();
        group.next()
                .submit(() -> {
                    for (Client client : clients) {
                        if (client.channel.isActive()) {
                            client.answer = new CompletableFuture<>();
                            answers.add(client.answer);
                            client.send();
                        }
                    }
                })
                .get();
        CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new)).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        return group.next().submit(() -> clients.size() - closed).get();
    }

    @Override
    public void close() {
        if (ticker != null) {
            ticker.cancel(false);
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Lives on the event loop. */
    private final class Client extends ChannelInboundHandlerAdapter {
        private Channel channel;
        private ByteBuf partial;
        private long longest;
        private CompletableFuture<Void> answer;

        void send() {
            if (channel.isActive()) {
                channel.writeAndFlush(channel.alloc().buffer(Long.BYTES).writeLong(System.nanoTime()));
            }
        }

        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            channel = ctx.channel();
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf in = (ByteBuf) msg;
            if (partial != null) {
                in = ctx.alloc().buffer().writeBytes(partial).writeBytes(in);
                partial.release();
                partial = null;
                ((ByteBuf) msg).release();
            }
            long now = System.nanoTime();
            while (in.readableBytes() >= Long.BYTES) {
                longest = Math.max(longest, now - in.readLong());
            }
            if (in.isReadable()) {
                partial = in;
            } else {
                in.release();
                if (answer != null) {
                    answer.complete(null);
                }
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            closed++;
            if (answer != null) {
                answer.complete(null);
            }
        }
    }
}
