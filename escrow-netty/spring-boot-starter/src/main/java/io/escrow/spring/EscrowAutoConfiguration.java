package io.escrow.spring;

import io.escrow.handover.HandoverObserver;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.tls.MovableTls;
import io.escrow.reactor.EscrowLoopResources;
import java.time.Duration;
import java.util.ArrayList;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;
import org.springframework.http.client.ReactorResourceFactory;
import reactor.netty.http.server.HttpServer;

/**
 * Runs the reactive web server of an application on event loops whose listeners come from the escrow, if {@code escrow.path}
 * is set. Takes the place of the {@code ReactorResourceFactory} of Spring Boot; one of the application's stays.
 */
@AutoConfiguration(
        beforeName = {
            // Spring Boot 4
            "org.springframework.boot.reactor.netty.autoconfigure.NettyReactiveWebServerAutoConfiguration",
            "org.springframework.boot.http.client.autoconfigure.reactive.ReactiveHttpClientAutoConfiguration",
            "org.springframework.boot.rsocket.autoconfigure.RSocketServerAutoConfiguration",
            // Spring Boot 3
            "org.springframework.boot.autoconfigure.web.reactive.ReactiveWebServerFactoryAutoConfiguration",
            "org.springframework.boot.autoconfigure.http.client.reactive.ClientHttpConnectorAutoConfiguration",
            "org.springframework.boot.autoconfigure.rsocket.RSocketServerAutoConfiguration"
        })
@ConditionalOnClass({ReactorResourceFactory.class, HttpServer.class})
@ConditionalOnProperty("escrow.path")
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
@EnableConfigurationProperties(EscrowProperties.class)
public class EscrowAutoConfiguration {

    /** Makes the configuration; called by Spring. */
    public EscrowAutoConfiguration() {}

    @Bean
    EscrowState escrowState() {
        return new EscrowState();
    }

    /** Not closed by the container: a server that was handed over has nothing to close, see {@link HandoverLifecycle}. */
    @Bean(destroyMethod = "")
    @ConditionalOnMissingBean
    HandoverTransport escrowTransport(
            EscrowProperties properties,
            EscrowState state,
            Environment environment,
            ObjectProvider<HandoverObserver> observers,
            ObjectProvider<EscrowCustomizer> customizers) {
        ServerHandoverBuilder server = properties.toBuilder()
                .observer(
                        new Observers(new ArrayList<>(observers.orderedStream().toList())));
        if (hasTls(environment)) {
            server.tls(MovableTls.of());
        }
        customizers.orderedStream().forEach(customizer -> customizer.customize(server));
        HandoverTransport transport = server.transport();
        state.watch(transport);
        return transport;
    }

    /** Returns whether Spring Boot gives the server TLS. */
    private static boolean hasTls(Environment environment) {
        return Binder.get(environment)
                        .bind("server.ssl", Bindable.mapOf(String.class, Object.class))
                        .isBound()
                && environment.getProperty("server.ssl.enabled", Boolean.class, true);
    }

    /** Disposed of by the factory that uses them. */
    @Bean(destroyMethod = "")
    @ConditionalOnMissingBean
    EscrowLoopResources escrowLoopResources(HandoverTransport transport, EscrowProperties properties) {
        return EscrowLoopResources.of(transport, properties.name());
    }

    @Bean
    @ConditionalOnMissingBean
    ReactorResourceFactory reactorResourceFactory(EscrowLoopResources loops, Environment environment) {
        ReactorResourceFactory factory = new ReactorResourceFactory();
        factory.setUseGlobalResources(false);
        factory.setLoopResourcesSupplier(() -> loops);
        Duration quietPeriod =
                environment.getProperty("spring.reactor.netty.shutdown-quiet-period", Duration.class, Duration.ZERO);
        factory.setShutdownQuietPeriod(quietPeriod);
        return factory;
    }

    @Bean
    HandoverLifecycle escrowHandoverLifecycle(
            HandoverTransport transport, EscrowLoopResources loops, EscrowProperties properties) {
        return new HandoverLifecycle(transport, loops, properties);
    }
}
