package io.escrow.examples.records;

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

/**
 * Clients of one echo server, on one event loop. Each sends numbered records all the time, and verifies that they come
 * back.
 */
public final class RecordClients implements AutoCloseable {

    private final EventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("clients", true), EpollIoHandler.newFactory());
    private final List<RecordClient> clients = new ArrayList<>();
    private final CompletableFuture<Void> failure = new CompletableFuture<>();
    private final LongAdder verified = new LongAdder();
    private final LongAdder lost = new LongAdder();

    /** Connects clients, which begin to send at once. */
    public void connect(String host, int port, int count) throws IOException, InterruptedException {
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
                throw new IOException("no connection to the server at " + host + ":" + port + ": "
                        + connected.cause().getMessage());
            }
            clients.add(client);
        }
    }

    /** Returns a future that fails when a connection is lost or a byte is wrong, and never completes otherwise. */
    public CompletableFuture<Void> failure() {
        return failure;
    }

    /**
     * Waits until each client has an answer to a record that it sends after this call.
     *
     * @return a future of the longest times without an answer until then, in nanoseconds, one for each client; fails as
     *     {@link #failure()} does
     */
    public CompletableFuture<List<Long>> nextAnswers() {
        return ofAll(RecordClient::nextAnswer);
    }

    /**
     * Sends no new records, and closes each connection when all its records are answered.
     *
     * @return a future of what the clients have sent and received; fails as {@link #failure()} does
     */
    public CompletableFuture<List<RecordStream>> finish() {
        CompletableFuture<List<RecordStream>> ends = ofAll(RecordClient::end);
        clients.forEach(RecordClient::finish);
        return ends;
    }

    private <T> CompletableFuture<List<T>> ofAll(Function<RecordClient, CompletableFuture<T>> result) {
        List<CompletableFuture<T>> results = clients.stream().map(result).toList();
        CompletableFuture<List<T>> all = CompletableFuture.allOf(results.toArray(CompletableFuture[]::new))
                .thenApply(done -> results.stream().map(CompletableFuture::join).toList());
        failure.whenComplete((never, cause) -> all.completeExceptionally(cause));
        return all;
    }

    /** Returns the number of records that came back as they were sent. */
    public long verified() {
        return verified.sum();
    }

    /** Returns the number of bytes in the records that came back as they were sent. */
    public long verifiedBytes() {
        return verified() * NumberedRecord.LENGTH;
    }

    /** Returns the number of transmissions that a server has read and not answered. */
    public long lost() {
        return lost.sum();
    }

    /** Closes the connections. */
    @Override
    public void close() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
