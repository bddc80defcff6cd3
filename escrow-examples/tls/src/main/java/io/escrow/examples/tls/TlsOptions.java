package io.escrow.examples.tls;

import io.escrow.handover.SealKeys;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.tls.MovableTls;
import io.netty.channel.Channel;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/**
 * The options of a server that speaks TLS when it is asked to, and seals what it stores: a mixin of its command, which has to let the
 * values of options be of either case.
 */
public final class TlsOptions {

    /** Where TLS comes from. */
    enum Provider {
        OPENSSL,
        JDK
    }

    /** A certificate of one's own. */
    static final class Pem {
        @Option(
                names = "--cert",
                paramLabel = "FILE",
                required = true,
                description = "the certificate and those that vouch for it, in PEM; with --key")
        private Path certificate;

        @Option(
                names = "--key",
                paramLabel = "FILE",
                required = true,
                description = "its private key, in PEM (PKCS#8); with --cert")
        private Path key;
    }

    /** What makes sense with TLS only. */
    static final class Tls {
        @Option(
                names = "--tls",
                required = true,
                description =
                        "serve TLS; such connections move, too. Without --cert, with a certificate that is made at"
                                + " the start")
        private boolean wanted;

        @ArgGroup(exclusive = false)
        private Pem pem;

        @Option(
                names = "--tls-provider",
                paramLabel = "NAME",
                description =
                        "openssl or jdk, default: openssl. With jdk, connections move only if Java was started with"
                                + " --add-opens java.base/sun.security.ssl=ALL-UNNAMED")
        private Provider provider = Provider.OPENSSL;

        @Option(
                names = "--client-ca",
                paramLabel = "FILE",
                description = "let in only clients whose certificate is signed by one of those in this file, in PEM")
        private Path clientCa;

        private SslContext context() throws IOException, InterruptedException {
            SslContextBuilder builder = pem == null
                    ? SelfSigned.builder()
                    : SslContextBuilder.forServer(pem.certificate.toFile(), pem.key.toFile());
            if (provider == Provider.OPENSSL && !OpenSsl.isAvailable()) {
                throw new IOException("there is no OpenSSL for this machine (expected: --tls-provider jdk): "
                        + OpenSsl.unavailabilityCause());
            }
            if (clientCa != null) {
                builder.trustManager(clientCa.toFile()).clientAuth(ClientAuth.REQUIRE);
            }
            return builder.sslProvider(provider == Provider.JDK ? SslProvider.JDK : SslProvider.OPENSSL)
                    .build();
        }
    }

    @ArgGroup(exclusive = false)
    private Tls tls;

    @Option(
            names = "--seal-key",
            paramLabel = "FILE",
            description = "seal what is stored of connections, with TLS or without, with the key in this file: made by"
                    + " (umask 077; openssl rand -hex 32 > FILE), and the same for the next process")
    private Path sealKey;

    private SslContext context;

    /** Makes options that nothing is asked for with. */
    public TlsOptions() {}

    /**
     * Makes the context, and tells the library of it, if TLS is asked for; and of the key of the seal, if there is one.
     *
     * @param handover the server, before its start
     * @throws IOException if the context can't be made
     */
    public void prepare(ServerHandoverBuilder handover) throws IOException, InterruptedException {
        if (sealKey != null) {
            handover.seal(SealKeys.file(sealKey));
        }
        if (tls != null && tls.wanted) {
            context = tls.context();
            handover.tls(MovableTls.of(context));
        }
    }

    /**
     * Puts TLS into the pipeline of a fresh channel, if it is asked for.
     *
     * @param channel a channel of the server, without handlers
     */
    public void initialise(Channel channel) {
        if (context != null) {
            channel.pipeline().addLast(context.newHandler(channel.alloc()));
        }
    }

    /** Returns the context, for a framework that makes its handlers by itself; {@code null} if TLS is not asked for. */
    public SslContext context() {
        return context;
    }
}
