package io.escrow.daemon.follow;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonParseException;
import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.codec.PacketUpgrade;
import io.escrow.control.ErrorView;
import io.escrow.control.Json;
import io.escrow.control.ShortName;
import io.escrow.internal.Futures;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;

/** Connects a follower to the control socket of its primary, and upgrades the connection from HTTP to a link. */
public final class LinkConnector {

    /** The name of the protocol in the header {@code Upgrade}. */
    public static final String PROTOCOL = "escrow-link";

    /** What the follower asks the control socket for. */
    public static final String TARGET = "/link";

    private static final String REQUEST =
            "GET " + TARGET + " HTTP/1.1\r\nHost: escrowd\r\nConnection: Upgrade\r\nUpgrade: " + PROTOCOL + "\r\n\r\n";
    private static final String SWITCHING = "HTTP/1.1 101 ";
    private static final String END_OF_HEADERS = "\r\n\r\n";
    private static final int LONGEST_ANSWER = 64 * 1024;

    private LinkConnector() {}

    /**
     * Connects a follower. Blocks until the primary has said that the link begins.
     *
     * @param path the path of the daemon's main socket
     * @param group the follower's event loop
     * @param closer closes the descriptors that are received
     * @throws EscrowException if no daemon answers, or the one that does refuses
     */
    public static void connect(Path path, EventLoopGroup group, Executor closer, Follower follower)
            throws EscrowException {
        Path control = SocketPath.control(path);
        CompletableFuture<Void> begun = new CompletableFuture<>();
        try (ShortName name = new ShortName(control)) {
            ChannelFuture connected = new Bootstrap()
                    .group(group)
                    .channel(EpollDomainSocketChannel.class)
                    .handler(new ChannelInitializer<EpollDomainSocketChannel>() {
                        @Override
                        protected void initChannel(EpollDomainSocketChannel channel) {
                            PacketUpgrade packets = new PacketUpgrade(channel, closer);
                            channel.pipeline().addLast(new Handshake(packets, follower, begun));
                        }
                    })
                    .connect(new DomainSocketAddress(name.toString()))
                    .awaitUninterruptibly();
            if (!connected.isSuccess()) {
                throw new EscrowException(
                        Status.ECONNREFUSED,
                        "no escrowd answers at \"" + control + "\": "
                                + connected.cause().getMessage(),
                        connected.cause());
            }
        } catch (EscrowException e) {
            throw e;
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "\"" + control + "\" can't be reached: " + e, e);
        }
        try {
            begun.join();
        } catch (CompletionException e) {
            throw Futures.toEscrowException(e);
        }
    }

    /** Reads the answer. The primary sends nothing behind it before the follower has greeted. */
    private static final class Handshake extends SimpleChannelInboundHandler<ByteBuf> {

        private final PacketUpgrade packets;
        private final Follower follower;
        private final CompletableFuture<Void> begun;
        private final StringBuilder answer = new StringBuilder();

        Handshake(PacketUpgrade packets, Follower follower, CompletableFuture<Void> begun) {
            this.packets = packets;
            this.follower = follower;
            this.begun = begun;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            ctx.writeAndFlush(Unpooled.copiedBuffer(REQUEST, US_ASCII), ctx.voidPromise());
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            answer.append(msg.toString(UTF_8));
            if (answer.length() > LONGEST_ANSWER) {
                ctx.close();
            } else if (answer.toString().startsWith(SWITCHING)
                    && answer.toString().endsWith(END_OF_HEADERS)) {
                packets.begin(Primary.LIMITS);
                follower.packets(packets);
                ctx.pipeline().addLast(new LinkCodec(), follower);
                ctx.pipeline().remove(this);
                begun.complete(null);
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            begun.completeExceptionally(refusal());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            begun.completeExceptionally(
                    new EscrowException(Futures.statusOf(cause), "the link can't be opened: " + cause, cause));
            ctx.close();
        }

        private EscrowException refusal() {
            int body = answer.indexOf(END_OF_HEADERS);
            try {
                ErrorView view = Json.read(answer.substring(body + END_OF_HEADERS.length()), ErrorView.class);
                return new EscrowException(
                        Status.valueOf(view.status()), "the escrowd that serves refuses: " + view.message());
            } catch (JsonParseException | IllegalArgumentException | NullPointerException e) {
                return new EscrowException(
                        Status.ECONNRESET, "the escrowd that serves has closed the link: " + answer, e);
            }
        }
    }
}
