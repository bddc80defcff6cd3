package io.escrow.examples.bench;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.HdrHistogram.Histogram;

/**
 * Makes short connections to an echo server, always the same number at a time. Each client connects, sends a request,
 * waits for the answer, and closes or waits until the server closes. Then the next one connects.
 */
final class AcceptClients implements AutoCloseable {

    static final int REQUEST_LENGTH = 64;

    private static final int LOOPS = 2;
    private static final int TIMEOUT_SECONDS = 30;

    /** Connections come from many addresses: a port is not free at once after a close, and an address has 28,000 ports. */
    private static final int ADDRESSES = 200;

    /** The figures of one run: connections a second, and times from connect to answer. */
    record Result(double rate, Histogram micros) {}

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(
            LOOPS, new DefaultThreadFactory("clients", true), EpollIoHandler.newFactory());
    private final int atOnce;
    private final boolean serverCloses;

    /**
     * Makes clients.
     *
     * @param atOnce the number of connections at a time
     * @param serverCloses whether the clients wait until the server closes
     */
    AcceptClients(int atOnce, boolean serverCloses) {
        this.atOnce = atOnce;
        this.serverCloses = serverCloses;
    }

    /**
     * Connects to a server for a time, and then waits until all connections are closed.
     *
     * @throws IOException if a connection failed
     */
    Result run(int port, long millis) throws IOException, InterruptedException, TimeoutException {
        List<Run> runs = new ArrayList<>();
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        for (EventExecutor loop : group) {
            int share = atOnce / LOOPS + (runs.size() < atOnce % LOOPS ? 1 : 0);
            Run run = new Run(
                    (EventLoop) loop,
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), port),
                    share,
                    runs.size(),
                    end);
            runs.add(run);
            loop.execute(run::begin);
        }
        long connections = 0;
        Histogram micros = new Histogram(3);
        for (Run run : runs) {
            try {
                run.done.get(millis / 1000 + TIMEOUT_SECONDS, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                throw new IOException("a connection failed: " + e.getCause().getMessage(), e.getCause());
            }
            connections += run.inTime;
            micros.add(run.micros);
        }
        return new Result(connections * 1000.0 / millis, micros);
    }

    @Override
    public void close() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** The part of a run on one event loop. */
    private final class Run {
        private final EventLoop loop;
        private final InetSocketAddress server;
        private final long end;
        private final CompletableFuture<Void> done = new CompletableFuture<>();
        private final Histogram micros = new Histogram(3);
        private int nextAddress;
        private int open;
        private long inTime;

        Run(EventLoop loop, InetSocketAddress server, int open, int firstAddress, long end) {
            this.loop = loop;
            this.server = server;
            this.open = open;
            this.nextAddress = firstAddress;
            this.end = end;
        }

        void begin() {
            int count = open;
            for (int i = 0; i < count; i++) {
                connect();
            }
            endIfDone();
        }

        private void connect() {
            EpollSocketChannel channel = new EpollSocketChannel();
            channel.config().setOption(EpollChannelOption.IP_BIND_ADDRESS_NO_PORT, true);
            channel.pipeline().addLast(new Client(this));
            loop.register(channel);
            InetSocketAddress source = new InetSocketAddress("127.0.0." + (2 + nextAddress), 0);
            nextAddress = (nextAddress + LOOPS) % ADDRESSES;
            channel.connect(server, source).addListener(f -> {
                if (!f.isSuccess()) {
                    done.completeExceptionally(f.cause());
                }
            });
        }

        void answered(long began) {
            long now = System.nanoTime();
            if (now < end) {
                inTime++;
                micros.recordValue((now - began) / 1000);
            }
        }

        void closed() {
            if (System.nanoTime() < end && !done.isDone()) {
                connect();
            } else {
                open--;
                endIfDone();
            }
        }

        private void endIfDone() {
            if (open == 0) {
                done.complete(null);
            }
        }
    }

    private final class Client extends ChannelInboundHandlerAdapter {
        private final Run run;
        private final long began = System.nanoTime();
        private int left = REQUEST_LENGTH;

        Client(Run run) {
            this.run = run;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            Channel channel = ctx.channel();
            channel.writeAndFlush(
                    channel.alloc().directBuffer(REQUEST_LENGTH).writeZero(REQUEST_LENGTH), channel.voidPromise());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf answer = (ByteBuf) msg;
            left -= answer.readableBytes();
            answer.release();
            if (left == 0) {
                run.answered(began);
                if (!serverCloses) {
                    ctx.close();
                }
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            if (left > 0) {
                run.done.completeExceptionally(new IOException(
                        "closed by the server after " + (REQUEST_LENGTH - left) + " of " + REQUEST_LENGTH + " bytes"));
            }
            run.closed();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            run.done.completeExceptionally(cause);
            ctx.close();
        }
    }
}
