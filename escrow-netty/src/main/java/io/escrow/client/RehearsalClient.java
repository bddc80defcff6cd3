package io.escrow.client;

import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.Wire;
import io.escrow.internal.EventLoops;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Connects a client to a daemon of its own, in this process, so that a rehearsal runs what a client runs, and asks nothing of the real
 * escrow. Internal: not part of the API, and changed without notice.
 */
public final class RehearsalClient implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final ConnectOptions OPTIONS = new ConnectOptions(
            Path.of("rehearsal"),
            null,
            PATIENCE,
            true,
            PATIENCE,
            waiting -> {},
            null,
            false,
            true,
            Duration.ZERO,
            ReconnectOptions.OFF);

    private final Channel daemon;
    private final CompletableFuture<EscrowClient> client = new CompletableFuture<>();

    /**
     * Begins to connect.
     *
     * @param loop runs both sides
     * @param one the number of one end of a pair of UNIX-domain sockets; this closes it
     * @param other the number of the other end; this closes it
     */
    public RehearsalClient(EventLoop loop, int one, int other) {
        EpollDomainSocketChannel answering = EventLoops.levelTriggered(new EpollDomainSocketChannel(other));
        answering.pipeline().addLast(new RehearsalDaemon(Wire.install(answering, true, Limits.DEFAULT)));
        EpollDomainSocketChannel asking = EventLoops.levelTriggered(new EpollDomainSocketChannel(one));
        asking.pipeline().addLast(new Greeting(Wire.install(asking, false, Limits.DEFAULT)));
        daemon = answering;
        loop.register(answering);
        loop.register(asking);
    }

    /**
     * Waits for the client, 10 seconds at most. Must not be called on the event loop.
     *
     * @return the client, which {@link #close()} ends
     * @throws EscrowException if it can't be made
     */
    public EscrowClient client() throws EscrowException {
        return BlockingEscrow.await(client, PATIENCE);
    }

    /** Ends the client, and closes what its daemon holds. Returns when that is done, after 10 seconds at the latest. */
    @Override
    public void close() {
        client.thenAccept(EscrowClient::close);
        daemon.close().awaitUninterruptibly(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    }

    private final class Greeting extends ChannelInboundHandlerAdapter {
        private final Wire wire;
        private boolean batches;

        private Greeting(Wire wire) {
            this.wire = wire;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            batches = wire.canUseBatches();
            ctx.writeAndFlush(Frame.Hello.ofClient(System.currentTimeMillis(), batches), ctx.voidPromise());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof Frame.Hello hello) {
                if (batches && hello.batches()) {
                    wire.useBatches();
                }
                client.complete(EscrowClient.of(
                        OPTIONS, new Connection(ctx.channel(), hello, Duration.ZERO, wire::descriptorsMayCome), null));
            } else if (msg == PacketEnd.INSTANCE) {
                ctx.pipeline().remove(this);
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            client.completeExceptionally(
                    new EscrowConnectionException("the connection of the rehearsal ended", false, null));
            ctx.fireChannelInactive();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            client.completeExceptionally(cause);
            ctx.close();
        }
    }
}
