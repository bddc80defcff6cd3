package io.escrow.examples;

import io.escrow.handover.ServerHandoverBuilder;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Serves HTTP/1.1. The kit knows when such a connection is at rest: nothing here has to do with it. */
@Command(
        name = "http-server",
        description = "Serves HTTP/1.1: GET / says which process answers, POST /echo returns the body, GET /slow?ms=500"
                + " takes its time. Hands over on SIGTERM.")
final class HttpServer extends HandoverCommand {

    private static final int MAX_BODY = 1024 * 1024;

    @Option(
            names = "--tls",
            description = "serve HTTPS with a certificate made at start; such connections can't be moved: they are"
                    + " answered with Connection: close when the server is handed over")
    private boolean tls;

    @Option(
            names = "--waves",
            paramLabel = "MILLIS",
            description = "when the next process waits already, move connections in waves that pause for about so long"
                    + " each, and serve the others meanwhile; default: all at once")
    private Integer waves;

    @Override
    ServerHandoverBuilder describe(ServerHandoverBuilder builder, InetSocketAddress address)
            throws IOException, InterruptedException {
        SslContext ssl = tls ? SelfSigned.context() : null;
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                if (ssl != null) {
                    channel.pipeline().addLast(ssl.newHandler(channel.alloc()));
                }
                channel.pipeline()
                        .addLast(new HttpServerCodec(), new HttpServerKeepAliveHandler())
                        .addLast(new HttpObjectAggregator(MAX_BODY), new HttpHandler());
            }
        });
        if (waves != null) {
            builder.waves(Duration.ofMillis(waves));
        }
        return builder.listen("http", bootstrap, address);
    }
}
