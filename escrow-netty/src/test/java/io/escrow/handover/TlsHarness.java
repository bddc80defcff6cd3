package io.escrow.handover;

import io.escrow.testing.Certificates;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.junit.jupiter.api.AfterEach;

/** Echo servers with TLS, and their clients. */
abstract class TlsHarness extends HandoverHarness {

    static final String SERVER = "server";

    private final List<TlsPeer> tlsPeers = new ArrayList<>();

    @AfterEach
    final void closeTlsPeers() throws IOException {
        for (TlsPeer peer : tlsPeers) {
            peer.close();
        }
    }

    static SslContextBuilder context(SslProvider provider) throws GeneralSecurityException {
        return SslContextBuilder.forServer(Certificates.keys(SERVER)).sslProvider(provider);
    }

    static SSLContext clientContext() throws GeneralSecurityException {
        SSLContext client = SSLContext.getInstance("TLS");
        client.init(
                Certificates.keys("client").getKeyManagers(),
                Certificates.trusting(SERVER).getTrustManagers(),
                null);
        return client;
    }

    /** Describes an echo server behind TLS, which moves only if the builder is told of it. */
    final ServerHandoverBuilder tlsServer(SslContext context) {
        return server(bootstrap(ch -> echo(ch, context)).childOption(ChannelOption.SO_SNDBUF, 32 * 1024));
    }

    static void echo(Channel channel, SslContext context) {
        channel.pipeline()
                .addLast(
                        context.newHandler(channel.alloc()),
                        new LengthFieldBasedFrameDecoder(64 << 20, 0, 4),
                        new Echo());
    }

    final TlsPeer tlsClient() throws Exception {
        return tlsClient(engine -> {});
    }

    final TlsPeer tlsClient(Consumer<SSLEngine> settings) throws Exception {
        SSLEngine engine = clientContext().createSSLEngine("localhost", port);
        settings.accept(engine);
        TlsPeer peer = new TlsPeer(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), engine);
        tlsPeers.add(peer);
        return peer;
    }
}
