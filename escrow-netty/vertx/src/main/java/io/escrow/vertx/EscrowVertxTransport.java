package io.escrow.vertx;

import io.escrow.handover.HandoverTransport;
import io.vertx.core.transport.Transport;
import java.util.Map;

/**
 * Is the transport of a {@code Vertx} whose servers are handed over.
 *
 * <pre>{@code
 * HandoverTransport handover =
 *         ServerHandover.with(EscrowClient.builder().path(path)).transport();
 * Vertx vertx = Vertx.builder()
 *         .withTransport(EscrowVertxTransport.of(handover, "http"))
 *         .build();
 * vertx.createHttpServer().requestHandler(handler).listen(8080).await();
 *
 * // on SIGTERM:
 * handover.handOver(Duration.ofSeconds(30)).join();
 * }</pre>
 *
 * <p>The future of {@code listen()} is done when it is this process's turn, and the listener is bound or adopted; no event
 * loop is blocked meanwhile. TCP servers are handed over, with HTTP or without; those on UNIX-domain sockets, and clients,
 * are what they are with Vert.x's own epoll transport.
 *
 * <p>For one {@code Vertx}. Belongs on the class path, as a part of Vert.x that it extends is no module's API.
 */
public final class EscrowVertxTransport implements Transport {

    private final EscrowEpollTransport implementation;

    EscrowVertxTransport(EscrowEpollTransport implementation) {
        this.implementation = implementation;
    }

    /**
     * Makes a transport for one server, on whatever port. A second server on a port of its own can't be started.
     *
     * @param handover where the server's listener comes from
     * @param listener names it in the escrow; see {@link HandoverTransport#serverChannels}
     * @return the transport
     */
    public static EscrowVertxTransport of(HandoverTransport handover, String listener) {
        return new EscrowVertxTransport(EscrowEpollTransport.of(handover, listener));
    }

    /**
     * Makes a transport for servers on several ports. Those on other ports are not handed over.
     *
     * @param handover where the listeners of the servers come from
     * @param listeners the names of the listeners in the escrow by their ports, each 0 to 65,535, one at least; all are to
     *     be bound
     * @return the transport
     * @throws IllegalArgumentException if there is none, or a port is out of range
     */
    public static EscrowVertxTransport of(HandoverTransport handover, Map<Integer, String> listeners) {
        return new EscrowVertxTransport(EscrowEpollTransport.of(handover, listeners));
    }

    /** Returns {@code escrow}. */
    @Override
    public String name() {
        return "escrow";
    }

    /** Returns whether Netty's epoll transport is available. */
    @Override
    public boolean available() {
        return implementation.isAvailable();
    }

    /** Returns why Netty's epoll transport is not available; {@code null} if it is. */
    @Override
    public Throwable unavailabilityCause() {
        return implementation.unavailabilityCause();
    }

    /** Returns what Vert.x works with. */
    @Override
    public io.vertx.core.spi.transport.Transport implementation() {
        return implementation;
    }
}
