package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.client.EscrowClient;
import io.escrow.handover.tls.MovableTls;
import io.escrow.testing.Certificates;
import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslProvider;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;

/**
 * An echo server with TLS in a process of its own. Its arguments are the socket of the escrow, the file with its keys, its port, and
 * whether it is crash-safe. What to do it reads from its input: {@link #HAND_OVER} or {@link #CLOSE}.
 */
final class TlsProgram {

    /** Versions and cipher suites that it speaks. */
    static final List<String> SUITES = List.of(
            "TLSv1.3 TLS_AES_128_GCM_SHA256",
            "TLSv1.3 TLS_AES_256_GCM_SHA384",
            "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256",
            "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLSv1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");

    static final String HAND_OVER = "hand over";
    static final String CLOSE = "close";
    static final String WAITING = "waiting";
    static final String SERVING = "serving";
    static final String HANDED_OVER = "handed over";
    static final String FAILED = "failed";

    private static final Duration TIME = Duration.ofSeconds(10);

    private TlsProgram() {}

    public static void main(String[] args) throws Exception {
        Certificates.read(TlsHarness.SERVER, Path.of(args[1]));
        SslContext context = TlsHarness.context(SslProvider.OPENSSL)
                .ciphers(SUITES.stream().map(suite -> suite.split(" ", 2)[1]).toList())
                .build();
        EventLoopGroup group = EventLoopGroups.epoll(2);
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                TlsHarness.echo(channel, context);
            }
        });
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[2]));
        ServerHandover server = ServerHandover.with(
                        EscrowClient.builder().path(args[0]).onWaiting(session -> System.out.println(WAITING)))
                .listen("echo", bootstrap, address)
                .tls(MovableTls.of(context))
                .crashSafe(Boolean.parseBoolean(args[3]))
                .waves(Duration.ofMillis(5))
                .drain(Duration.ofSeconds(1))
                .start()
                .join();
        System.out.println(SERVING + " "
                + ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort() + ": "
                + server.startReport());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line = in.readLine(); line != null && !line.equals(CLOSE); line = in.readLine()) {
            try {
                HandoverReport report = server.handOver(TIME).join();
                System.out.println(HANDED_OVER + " " + report);
                server.drained().join();
                break;
            } catch (CompletionException e) {
                System.out.println(FAILED + " " + e.getCause());
            }
        }
        server.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
