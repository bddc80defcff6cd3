package io.escrow.examples.vertx;

import io.netty.handler.ssl.SslContext;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.KeyCertOptions;
import io.vertx.core.net.SSLEngineOptions;
import io.vertx.core.spi.tls.SslContextFactory;
import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import javax.net.ssl.X509ExtendedKeyManager;

/** Has Vert.x use a context that it has not made, so that the library can be told of it before. */
final class OwnSslContext extends SSLEngineOptions {

    private final SslContext context;

    private OwnSslContext(SslContext context) {
        this.context = context;
    }

    static void use(SslContext context, HttpServerOptions options) {
        options.setSsl(true)
                // HTTP/2 can't be moved.
                .setUseAlpn(false)
                // Vert.x asks for keys, and uses those of the context.
                .setKeyCertOptions(KeyCertOptions.wrap(new NoKeys()))
                .setSslEngineOptions(new OwnSslContext(context));
    }

    @Override
    public SSLEngineOptions copy() {
        return this;
    }

    @Override
    public SslContextFactory sslContextFactory() {
        return () -> context;
    }

    private static final class NoKeys extends X509ExtendedKeyManager {
        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return new String[0];
        }

        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            return null;
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return new String[0];
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return null;
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return new X509Certificate[0];
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return null;
        }
    }
}
