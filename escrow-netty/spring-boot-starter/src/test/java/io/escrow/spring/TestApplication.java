package io.escrow.spring;

import java.time.Duration;
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

    @Bean
    RouterFunction<ServerResponse> routes(Environment environment) {
        String version = environment.getProperty("version", "");
        return RouterFunctions.route()
                .GET("/", request -> ServerResponse.ok().bodyValue(version))
                .GET(
                        "/slow",
                        request -> Mono.delay(Duration.ofMillis(300))
                                .flatMap(elapsed -> ServerResponse.ok().bodyValue("slow " + version)))
                .build();
    }
}
