package io.escrow.examples.spring;

import io.escrow.handover.tls.MovableTls;
import io.escrow.spring.EscrowCustomizer;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import javax.net.ssl.SSLException;
import org.springframework.boot.reactor.netty.NettyServerCustomizer;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;

/**
 * Gives the server a context for TLS that the escrow knows from the beginning, with the keys of the bundle {@code web}: so
 * connections of Netty's provider OPENSSL move, too. It is chosen when {@code netty-tcnative} is on the class path.
 */
@Configuration(proxyBeanMethods = false)
@Profile("own-ssl-context")
class OwnSslContext {

    @Bean
    SslContext sslContext(SslBundles bundles) throws SSLException {
        return SslContextBuilder.forServer(
                        bundles.getBundle("web").getManagers().getKeyManagerFactory())
                .build();
    }

    @Bean
    NettyServerCustomizer secured(SslContext context) {
        return server -> server.secure(ssl -> ssl.sslContext(context));
    }

    @Bean
    EscrowCustomizer movable(SslContext context) {
        return server -> server.tls(MovableTls.of(context));
    }
}
