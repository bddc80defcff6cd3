package io.escrow.examples.bench;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.HdrHistogram.Histogram;

/**
 * Clients of an echo server, on one event loop. Some of them send the time at fixed intervals. They do not wait for answers in
 * between, so that each pause is measured in full; or, in a closed loop, they do.
 */
final class PauseClients implements AutoCloseable {

    private static final int TIMEOUT_SECONDS = 30;

    private final EventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("clients", true), EpollIoHandler.newFactory());
    private final SslContext tls;
    private final List<Client> clients = new ArrayList<>();
    private final List<Client> sending = new ArrayList<>();
    private Future<?> ticker;
    private int next;
    private int closed;
    private final boolean closedLoop;
    private long began;
    private long ended = Long.MAX_VALUE;
    private long intervalMicros;
    private Histogram waits = new Histogram(3);

    /**
     * Makes clients without connections.
     *
     * @param tls {@code null} for plaintext
     * @param closedLoop whether a client that has not been answered sends nothing more
     */
    PauseClients(SslContext tls, boolean closedLoop) {
        this.tls = tls;
        this.closedLoop = closedLoop;
    }

    /** Connects, and shakes hands. */
    void connect(int port, int count) throws InterruptedException, IOException {
        List<Future<?>> handshakes = new ArrayList<>();
        while (clients.size() < count) {
            Client client = new Client();
            SslHandler ssl = tls == null ? null : tls.newHandler(ByteBufAllocator.DEFAULT);
            var connected = new Bootstrap()
                    .group(group)
                    .channelFactory(EpollSocketChannel::new)
                    .handler(new ChannelInitializer<Channel>() {
                        @Override
                        protected void initChannel(Channel channel) {
                            if (ssl != null) {
                                channel.pipeline().addLast(ssl);
                            }
                            channel.pipeline().addLast(client);
                        }
                    })
                    .connect("127.0.0.1", port)
                    .await();
            if (!connected.isSuccess()) {
                throw new IOException(
                        "only " + clients.size() + " of " + count + " connections could be opened (see ulimit -n): "
                                + connected.cause().getMessage());
            }
            clients.add(client);
            if (ssl != null) {
                handshakes.add(ssl.handshakeFuture());
            }
        }
        for (Future<?> handshake : handshakes) {
            if (!handshake.await().isSuccess()) {
                throw new IOException("a TLS handshake failed: " + handshake.cause(), handshake.cause());
            }
        }
    }

    /** Starts to send on the first connections, on each of them once in every interval. */
    void startSending(int count, int intervalMillis) {
        sending.addAll(clients.subList(0, count));
        intervalMicros = TimeUnit.MILLISECONDS.toMicros(intervalMillis);
        int each = Math.max(1, count / intervalMillis);
        ticker = group.next()
                .scheduleAtFixedRate(
                        () -> {
                            for (int i = 0; i < each; i++) {
                                sending.get(next++ % count).tick();
                            }
                        },
                        0,
                        1,
                        TimeUnit.MILLISECONDS);
    }

    /** Begins to measure: what is answered from now on counts. */
    void begin() throws InterruptedException, ExecutionException {
        group.next()
                .submit(() -> {
                    began = System.nanoTime();
                    ended = Long.MAX_VALUE;
                    waits = new Histogram(3);
                    sending.forEach(client -> client.longest = null);
                })
                .get();
    }

    /**
     * Ends measuring: what is sent from now on does not count. Returns, when all sending connections have their answers to what does,
     * the time since the beginning, in microseconds.
     */
    long end() throws InterruptedException, ExecutionException, TimeoutException {
        List<CompletableFuture<Void>> answers = new ArrayList<>();
        long took = group.next()
                .submit(() -> {
                    ended = System.nanoTime();
                    for (Client client : sending) {
                        client.caughtUp = new CompletableFuture<>();
                        answers.add(client.caughtUp);
                        if (!client.channel.isActive()) {
                            client.caughtUp.complete(null);
                        }
                    }
                    return (ended - began) / 1000;
                })
                .get();
        CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new)).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        return took;
    }

    /** Returns the longest wait of each sending connection. */
    List<Pause> pauses() throws InterruptedException, ExecutionException {
        return group.next()
                .submit(() -> sending.stream()
                        .map(client -> client.longest)
                        .filter(Objects::nonNull)
                        .toList())
                .get();
    }

    /**
     * Returns how long, in microseconds, all answers took in a closed loop. What a client would have sent while it waited counts as if it
     * had been sent.
     */
    Histogram waits() throws InterruptedException, ExecutionException {
        return group.next().submit(() -> waits.copy()).get();
    }

    /** Sends on each connection, and waits for the answers. Returns the number of connections that are open. */
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
        // The end of the event loop leaves their descriptors open, and the next measurement in this process needs them.
        group.next()
                .submit(() -> clients.forEach(client -> client.channel.close()))
                .syncUninterruptibly();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Only the event loop calls the methods. */
    private final class Client extends ChannelInboundHandlerAdapter {
        private Channel channel;
        private ByteBuf partial;
        private Pause longest;
        private boolean waiting;
        private CompletableFuture<Void> answer;
        private CompletableFuture<Void> caughtUp = new CompletableFuture<>();

        void tick() {
            if (!closedLoop || !waiting) {
                waiting = true;
                send();
            }
        }

        private void answered(long sent, long now) {
            waiting = false;
            if (sent > ended) {
                caughtUp.complete(null);
                return;
            }
            Pause pause = new Pause((sent - began) / 1000, (now - began) / 1000);
            if (longest == null || pause.length() > longest.length()) {
                longest = pause;
            }
            if (closedLoop) {
                waits.recordValueWithExpectedInterval(pause.length(), intervalMicros);
            }
        }

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
                answered(in.readLong(), now);
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
            caughtUp.complete(null);
            if (answer != null) {
                answer.complete(null);
            }
        }
    }
}
