package io.escrow.spring;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnExpression;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * Adds the state of the server in the escrow to the health of the application. Its status is never {@code DOWN}: a server that
 * has lost the escrow serves as well as ever. It is {@code UNKNOWN} then, or when the server runs outside of the escrow.
 */
@AutoConfiguration(
        after = EscrowAutoConfiguration.class,
        beforeName = {
            "org.springframework.boot.health.autoconfigure.contributor.HealthContributorAutoConfiguration",
            "org.springframework.boot.actuate.autoconfigure.health.HealthContributorAutoConfiguration"
        })
@ConditionalOnBean(EscrowState.class)
@ConditionalOnExpression("${management.health.escrow.enabled:${management.health.defaults.enabled:true}}")
public class EscrowHealthAutoConfiguration {

    /** Makes the configuration; called by Spring. */
    public EscrowHealthAutoConfiguration() {}

    /** Of Spring Boot 4. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(name = "org.springframework.boot.health.contributor.HealthIndicator")
    static class Boot4 {

        @Bean
        org.springframework.boot.health.contributor.HealthIndicator escrowHealthIndicator(EscrowState state) {
            return () -> (state.isInEscrow()
                            ? org.springframework.boot.health.contributor.Health.up()
                            : org.springframework.boot.health.contributor.Health.unknown())
                    .withDetails(state.details())
                    .build();
        }
    }

    /** Of Spring Boot 3. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(name = "org.springframework.boot.actuate.health.HealthIndicator")
    static class Boot3 {

        @Bean
        org.springframework.boot.actuate.health.HealthIndicator escrowHealthIndicator(EscrowState state) {
            return () -> (state.isInEscrow()
                            ? org.springframework.boot.actuate.health.Health.up()
                            : org.springframework.boot.actuate.health.Health.unknown())
                    .withDetails(state.details())
                    .build();
        }
    }
}
