package io.escrow.spring;

import io.escrow.handover.HandoverTransport;
import io.escrow.handover.micrometer.MicrometerHandoverObserver;
import io.micrometer.core.instrument.MeterRegistry;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;

/** Counts and times in Micrometer what happens to the server, if the application has a registry of meters. */
@AutoConfiguration(
        after = EscrowAutoConfiguration.class,
        afterName = {
            // Spring Boot 4
            "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration",
            // Spring Boot 3
            "org.springframework.boot.actuate.autoconfigure.metrics.CompositeMeterRegistryAutoConfiguration"
        })
@ConditionalOnClass(MeterRegistry.class)
@ConditionalOnBean({HandoverTransport.class, MeterRegistry.class})
public class EscrowMetricsAutoConfiguration {

    /** Makes the configuration; called by Spring. */
    public EscrowMetricsAutoConfiguration() {}

    @Bean
    @ConditionalOnMissingBean
    MicrometerHandoverObserver escrowMeters(MeterRegistry registry) {
        return new MicrometerHandoverObserver(registry);
    }

    @Bean
    SmartInitializingSingleton escrowConnectionsGauge(
            ObjectProvider<HandoverTransport> transport, MicrometerHandoverObserver observer) {
        return () -> transport.getObject().server().thenAccept(observer::watch);
    }
}
