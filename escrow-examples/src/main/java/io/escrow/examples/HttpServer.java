package io.escrow.examples;

import io.escrow.InheritedSockets;
import io.escrow.examples.tls.TlsOptions;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Serves HTTP/1.1. The pipeline is the usual one: the library recognises it, and moves each connection between two
 * requests.
 */
@Command(
        name = "http-server",
        description = "Serves HTTP/1.1: GET / returns the number of the process, POST /echo returns the body, and GET"
                + " /slow?ms=500 answers after that time. Hands over on SIGTERM.")
final class HttpServer implements Callable<Integer> {

    private static final int MAX_BODY = 1024 * 1024;

    @Mixin
    private final HandoverOptions options = new HandoverOptions();

    @Mixin
    private final TlsOptions tls = new TlsOptions();

    @Option(
            names = "--waves",
            paramLabel = "MILLIS",
            description = "if the next process is already waiting, move the connections in waves that pause for about"
                    + " this time each, while the other connections are served; default: all connections at once")
    private Integer waves;

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                tls.initialise(channel);
                channel.pipeline()
                        .addLast(new HttpServerCodec(), new HttpServerKeepAliveHandler())
                        .addLast(new HttpObjectAggregator(MAX_BODY), new HttpHandler());
            }
        });

        ServerHandoverBuilder handover = ServerHandover.with(options.escrow())
                .listen("http", bootstrap, options.address())
                .inheritListeners(InheritedSockets.ofThisProcess()) // from systemd, if there are any
                .crashSafe(options.crashSafe())
                .drain(options.drain());
        if (waves != null) {
            handover.waves(Duration.ofMillis(waves));
        }
        tls.prepare(handover);
        HandoverOnSigterm.install(handover.start().get());
        group.terminationFuture().await();
        return 0;
    }
}
