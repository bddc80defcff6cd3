package io.escrow.spring;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Mono;

/** An application as a user would have it: nothing in it knows of the escrow. */
@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
class TestApplication {

    /** Has a permit for each slow request that has reached its handler. */
    static final Semaphore SLOW_ASKED = new Semaphore(0);

    @Bean
    RouterFunction<ServerResponse> routes(Environment environment) {
        String version = environment.getProperty("version", "");
        return RouterFunctions.route()
                .GET("/", request -> ServerResponse.ok().bodyValue(version))
                .GET("/slow", request -> {
                    SLOW_ASKED.release();
                    return Mono.delay(Duration.ofMillis(300))
                            .flatMap(elapsed -> ServerResponse.ok().bodyValue("slow " + version));
                })
                .build();
    }
}
