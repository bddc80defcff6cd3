package io.escrow.system;

import io.escrow.client.EscrowClient;
import io.escrow.handover.SealKeys;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.tls.MovableTls;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;

/**
 * Echoes messages over TLS, and those of WebSockets on a port of their own, crash-safe, until it is killed or told to end. Arguments:
 * escrow, port, provider, keys, seal.
 */
public final class TlsServer {

    static final String SERVING = "Serving ";
    static final String PASSWORD = "password";

    /** A cipher suite, and the version that it is of. */
    record Suite(String protocol, String name) {}

    /** All that move. */
    static final List<Suite> SUITES = List.of(
            new Suite("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
            new Suite("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
            new Suite("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
            new Suite("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            new Suite("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
            new Suite("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"));

    private static final int MAX_MESSAGE = 1 << 20;

    private TlsServer() {}

    /** Sends each message back when it is complete. */
    private static final class Echo extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.write(msg);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            ctx.flush();
        }
    }

    /** Runs until it is ended. */
    public static void main(String[] args) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(args[3])) {
            store.load(in, PASSWORD.toCharArray());
        }
        keys.init(store, PASSWORD.toCharArray());
        SslContext context = SslContextBuilder.forServer(keys)
                .sslProvider(SslProvider.valueOf(args[2]))
                .ciphers(SUITES.stream().map(Suite::name).toList())
                .build();
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline()
                        .addLast(
                                context.newHandler(ch.alloc()),
                                new LengthFieldBasedFrameDecoder(MAX_MESSAGE, 0, Integer.BYTES),
                                new Echo());
            }
        });
        ServerBootstrap webSockets = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline()
                        .addLast(
                                context.newHandler(ch.alloc()),
                                new HttpServerCodec(),
                                new HttpObjectAggregator(MAX_MESSAGE),
                                new WebSocketServerProtocolHandler("/"),
                                new Echo());
            }
        });
        ServerHandover server = ServerHandover.with(EscrowClient.builder().path(args[0]))
                .crashSafe(true)
                .tls(MovableTls.of(context))
                .seal(SealKeys.file(Path.of(args[4])))
                .listen(
                        "tls",
                        bootstrap,
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[1])))
                .listen("web-sockets", webSockets, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .start()
                .join();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.handOver(Duration.ofSeconds(10)).join();
            server.drained().join();
        }));
        System.out.println(SERVING + port(server, 0) + " " + port(server, 1) + " " + server.startReport());
    }

    private static int port(ServerHandover server, int listener) {
        return ((InetSocketAddress) server.listeners().get(listener).localAddress()).getPort();
    }
}
