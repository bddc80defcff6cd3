package io.escrow.examples.spring;

import java.time.Duration;
import java.util.Map;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.reactive.HandlerMapping;
import org.springframework.web.reactive.handler.SimpleUrlHandlerMapping;
import org.springframework.web.reactive.socket.WebSocketHandler;
import org.springframework.web.reactive.socket.WebSocketMessage;
import reactor.core.publisher.Mono;

/** Answers requests, some of them after a time, and messages of WebSockets. */
@RestController
@Configuration(proxyBeanMethods = false)
class Endpoints {

    private static final String NAME =
            "escrow-spring-boot, process " + ProcessHandle.current().pid() + "\n";

    private static final int BEFORE_CONTROLLERS = -1;

    @GetMapping("/")
    String name() {
        return NAME;
    }

    @GetMapping("/slow")
    Mono<String> slow(@RequestParam(name = "ms", defaultValue = "500") int millis) {
        return Mono.delay(Duration.ofMillis(millis)).map(elapsed -> "slow answer of " + NAME);
    }

    @PostMapping("/echo")
    Mono<Void> echo(ServerHttpRequest request, ServerHttpResponse response) {
        response.getHeaders().setContentLength(request.getHeaders().getContentLength());
        return response.writeWith(request.getBody());
    }

    @Bean
    HandlerMapping webSockets() {
        WebSocketHandler echo = session -> session.send(session.receive().doOnNext(WebSocketMessage::retain));
        return new SimpleUrlHandlerMapping(Map.of("/ws", echo), BEFORE_CONTROLLERS);
    }
}
