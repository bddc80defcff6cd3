package io.escrow.examples.bench;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Connections to a server that stay open. In a run, each sends requests, waits for all answers, and sends the next ones. */
final class RequestClients implements AutoCloseable {

    private static final int TIMEOUT_SECONDS = 30;

    /** How many requests were answered in a run, and how many a second. */
    record Result(long answered, double rate) {}

    private final EventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("clients", true), EpollIoHandler.newFactory());
    private final List<Client> clients = new ArrayList<>();

    private RequestClients() {}

    /**
     * What the clients of a run send.
     *
     * @param length the bytes of content of a request or an answer
     * @param burst how many requests each sends at a time, with TLS each in a record of its own
     */
    record Load(RequestProtocol protocol, int length, int burst) {}

    /**
     * Connects, and shakes hands.
     *
     * @param tls {@code null} for plaintext
     */
    static RequestClients connect(Load load, int port, int count, SslContext tls)
            throws IOException, InterruptedException, TimeoutException {
        RequestClients connected = new RequestClients();
        try {
            for (int i = 0; i < count; i++) {
                Client client = new Client(load, tls != null);
                connected.clients.add(client);
                new Bootstrap()
                        .group(connected.group)
                        .channelFactory(EpollSocketChannel::new)
                        .handler(new ChannelInitializer<Channel>() {
                            @Override
                            protected void initChannel(Channel channel) {
                                if (tls != null) {
                                    SslHandler ssl = tls.newHandler(channel.alloc());
                                    ssl.setWrapDataSize(0);
                                    channel.pipeline().addLast(ssl);
                                }
                                channel.pipeline().addLast(client);
                            }
                        })
                        .connect(InetAddress.getLoopbackAddress(), port)
                        .addListener(f -> {
                            if (!f.isSuccess()) {
                                client.ready.completeExceptionally(f.cause());
                            }
                        });
            }
            for (Client client : connected.clients) {
                await(client.ready, 0);
            }
            return connected;
        } catch (IOException | InterruptedException | TimeoutException | RuntimeException e) {
            connected.close();
            throw e;
        }
    }

    /**
     * Sends requests for a time, and waits for the last answers.
     *
     * @throws IOException if a connection failed
     */
    Result run(long millis) throws IOException, InterruptedException, TimeoutException {
        long began = System.nanoTime();
        long end = began + TimeUnit.MILLISECONDS.toNanos(millis);
        for (Client client : clients) {
            client.ready = new CompletableFuture<>();
            client.channel.eventLoop().execute(() -> client.run(end));
        }
        long answered = 0;
        for (Client client : clients) {
            await(client.ready, millis);
            answered += client.answered;
        }
        return new Result(answered, answered * 1e9 / (System.nanoTime() - began));
    }

    private static void await(CompletableFuture<Void> ready, long millis)
            throws IOException, InterruptedException, TimeoutException {
        try {
            ready.get(millis + TimeUnit.SECONDS.toMillis(TIMEOUT_SECONDS), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw new IOException("a connection failed: " + e.getCause().getMessage(), e.getCause());
        }
    }

    @Override
    public void close() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** One connection. */
    private static final class Client extends ByteToMessageDecoder {
        private final Load load;
        private final ByteBuf request;
        private final boolean encrypted;
        private volatile CompletableFuture<Void> ready = new CompletableFuture<>();
        private volatile EpollSocketChannel channel;
        private boolean shaking;
        private int answerLength;
        private int awaited;
        private long end;
        private long answered;

        Client(Load load, boolean encrypted) {
            this.load = load;
            this.request = load.protocol.request(load.length);
            this.encrypted = encrypted;
            this.shaking = load.protocol.handshake().isReadable();
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            channel = (EpollSocketChannel) ctx.channel();
            if (!encrypted) {
                begin(ctx);
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslHandshakeCompletionEvent done) {
                if (done.isSuccess()) {
                    begin(ctx);
                } else {
                    ready.completeExceptionally(done.cause());
                }
            }
        }

        private void begin(ChannelHandlerContext ctx) {
            if (shaking) {
                ctx.writeAndFlush(load.protocol.handshake(), ctx.voidPromise());
            } else {
                ready.complete(null);
            }
        }

        void run(long until) {
            end = until;
            answered = 0;
            send();
        }

        private void send() {
            awaited = load.burst;
            for (int i = 0; i < load.burst; i++) {
                channel.write(request.duplicate(), channel.voidPromise());
            }
            channel.flush();
        }

        @Override
        protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
            int length = shaking ? RequestProtocol.headLength(in) : answerLength(in);
            if (length == 0 || in.readableBytes() < length) {
                return;
            }
            in.skipBytes(length);
            if (!shaking) {
                answered++;
                awaited--;
                if (awaited > 0) {
                    return;
                }
                if (System.nanoTime() < end) {
                    send();
                    return;
                }
            }
            shaking = false;
            ready.complete(null);
        }

        private int answerLength(ByteBuf in) {
            if (answerLength == 0) {
                answerLength = load.protocol.answerLength(in, load.length);
            }
            return answerLength;
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            ready.completeExceptionally(new IOException("closed by the server"));
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ready.completeExceptionally(cause);
            ctx.close();
        }
    }
}
