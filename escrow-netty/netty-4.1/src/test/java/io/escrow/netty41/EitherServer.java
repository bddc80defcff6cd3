package io.escrow.netty41;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.Version;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * Answers each record, and each HTTP request, with the line of Netty that it runs with and what came. Is handed over on
 * SIGTERM. Arguments: the socket; the port of records; the port of HTTP; crash-safe or not; in waves or not.
 */
public final class EitherServer {

    static final String SERVING = "Serving ";
    static final int LENGTH_BYTES = 2;

    private static final String LINE =
            Version.identify().get("netty-transport").artifactVersion().substring(0, 3);

    private EitherServer() {}

    /** Runs until SIGTERM. */
    public static void main(String[] args) {
        ServerHandoverBuilder description = ServerHandover.with(
                        EscrowClient.builder().path(args[0]).connectTimeout(Duration.ofMinutes(1)))
                .crashSafe(Boolean.parseBoolean(args[3]));
        if (Boolean.parseBoolean(args[4])) {
            description.waves(Duration.ofMillis(20));
        }
        EventLoopGroup group = EventLoopGroups.epoll(2);
        ServerHandover server = description
                .listen("records", new ServerBootstrap().group(group).childHandler(new Records()), address(args[1]))
                .listen("http", new ServerBootstrap().group(group).childHandler(new Http()), address(args[2]))
                .start()
                .join();
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> System.out.println(server.handOver(Duration.ofSeconds(30))
                        .handle((report, failure) -> failure == null ? report : failure)
                        .join())));
        StringBuilder ports = new StringBuilder();
        for (Channel listener : server.listeners()) {
            ports.append(((InetSocketAddress) listener.localAddress()).getPort())
                    .append(' ');
        }
        System.out.println(SERVING + LINE + " " + ports + server.startReport());
    }

    private static InetSocketAddress address(String port) {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(port));
    }

    private static final class Records extends ChannelInitializer<Channel> {
        @Override
        protected void initChannel(Channel ch) {
            ch.pipeline()
                    .addLast(new LengthFieldBasedFrameDecoder(1 << 16, 0, LENGTH_BYTES, 0, LENGTH_BYTES))
                    .addLast(new SimpleChannelInboundHandler<ByteBuf>() {
                        @Override
                        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf record) {
                            String answer = LINE + record.toString(UTF_8);
                            ByteBuf out = ctx.alloc().buffer();
                            out.writeShort(answer.length()).writeCharSequence(answer, UTF_8);
                            ctx.writeAndFlush(out);
                        }
                    });
        }
    }

    private static final class Http extends ChannelInitializer<Channel> {
        @Override
        protected void initChannel(Channel ch) {
            ch.pipeline()
                    .addLast(new HttpServerCodec())
                    .addLast(new HttpObjectAggregator(1 << 16))
                    .addLast(new SimpleChannelInboundHandler<FullHttpRequest>() {
                        @Override
                        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
                            DefaultFullHttpResponse answer = new DefaultFullHttpResponse(
                                    HttpVersion.HTTP_1_1,
                                    HttpResponseStatus.OK,
                                    Unpooled.copiedBuffer(LINE + request.uri(), UTF_8));
                            HttpUtil.setContentLength(answer, answer.content().readableBytes());
                            ctx.writeAndFlush(answer);
                        }
                    });
        }
    }
}
