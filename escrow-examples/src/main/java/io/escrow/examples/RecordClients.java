package io.escrow.examples;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;

/** Some clients of one echo server, on one event loop. */
final class RecordClients implements AutoCloseable {

    private final EventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("clients", true), EpollIoHandler.newFactory());
    private final List<RecordClient> clients = new ArrayList<>();
    private final CompletableFuture<Void> failure = new CompletableFuture<>();
    private final LongAdder verified = new LongAdder();
    private final LongAdder lost = new LongAdder();

    /** Connects clients, which begin to send at once. */
    void connect(String host, int port, int count) throws IOException, InterruptedException {
        for (int i = 0; i < count; i++) {
            RecordClient client = new RecordClient(i, verified, lost);
            client.end().whenComplete((stream, cause) -> {
                if (cause != null) {
                    failure.completeExceptionally(cause);
                }
            });
            ChannelFuture connected = new Bootstrap()
                    .group(group)
                    .channelFactory(EpollSocketChannel::new)
                    .handler(client)
                    .connect(host, port)
                    .await();
            if (!connected.isSuccess()) {
                throw new IOException(
                        "no connection to the server: " + connected.cause().getMessage());
            }
            clients.add(client);
        }
    }

    /** Returns a future that fails when the first connection is lost or a byte is wrong, and never completes else. */
    CompletableFuture<Void> failure() {
        return failure;
    }

    /** Asks each client for something, and returns a future of all that they answer. */
    <T> CompletableFuture<List<T>> all(Function<RecordClient, CompletableFuture<T>> question) {
        List<CompletableFuture<T>> answers = clients.stream().map(question).toList();
        CompletableFuture<List<T>> all = CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(done -> answers.stream().map(CompletableFuture::join).toList());
        failure.whenComplete((never, cause) -> all.completeExceptionally(cause));
        return all;
    }

    /** Sends no new records, and ends each client when all its records are answered. */
    void finish() {
        clients.forEach(RecordClient::finish);
    }

    /** Returns how many records came back as they were sent. */
    long verified() {
        return verified.sum();
    }

    /** Returns how many transmissions a server has read and not answered. */
    long lost() {
        return lost.sum();
    }

    /** Closes the connections. */
    @Override
    public void close() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
