package io.escrow.examples.bench;

import io.escrow.examples.tls.SelfSigned;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import java.nio.file.Path;

/** The TLS of the benchmarks: BoringSSL on both sides, with one key for all servers of a run. */
final class BenchTls {

    private BenchTls() {}

    /** Makes a key with its certificate, in a new file. */
    static void makeKey(Path store) throws IOException, InterruptedException {
        SelfSigned.makeKey(store);
    }

    /** Makes the context of servers. */
    static SslContext server(Path store) throws IOException {
        return SelfSigned.builder(store).sslProvider(SslProvider.OPENSSL).build();
    }

    /** Makes the context of clients, which look at no certificate. */
    static SslContext client() throws IOException {
        return SslContextBuilder.forClient()
                .sslProvider(SslProvider.OPENSSL)
                .trustManager(InsecureTrustManagerFactory.INSTANCE)
                .endpointIdentificationAlgorithm(null)
                .build();
    }
}
