package io.escrow.examples.spring;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** Serves HTTP/1.1 and WebSocket. What hands it over is the starter among its dependencies, and {@code escrow.path}. */
@SpringBootApplication
public class SpringBootServer {

    /**
     * Starts the server.
     *
     * @param arguments properties, as {@code --escrow.path=/tmp/escrow --server.port=8080}
     */
    public static void main(String[] arguments) {
        SpringApplication.run(SpringBootServer.class, arguments);
    }
}
