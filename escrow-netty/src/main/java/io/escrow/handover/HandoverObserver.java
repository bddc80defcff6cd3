package io.escrow.handover;

import java.time.Duration;

/**
 * Is called when something happens to a server that is handed over, for its metrics or its log. Each method does nothing
 * by default.
 *
 * <p>All are called while connections may be waiting, by threads of the server's own or by an event loop, and must not
 * block. Calls may come from several threads, but for each start and each handover in the order of this text. What an
 * observer throws is logged, and changes nothing: the first time as a warning.
 */
public interface HandoverObserver {

    /**
     * Is called when this server has got a session with the escrow: at its start, after it has lost its session, and when it
     * takes back the one that it had given up for a handover.
     *
     * @param waited how long it was in the escrow's queue: from the moment at which the socket was connected to, or there
     *     was no room in the queue, to the escrow's greeting
     */
    default void queued(Duration waited) {}

    /**
     * Is called when a connection goes on here that was handed over. Not called for connections found after a crash, and not
     * when the process before did not store when they came to rest.
     *
     * @param pause for how long it was not read, as in {@link Pauses}
     */
    default void paused(Duration pause) {}

    /**
     * Is called when the server has started, and has taken over everything that there was.
     *
     * @param report how it came up
     */
    default void started(StartReport report) {}

    /**
     * Is called when the server is handed over, before the future of {@link ServerHandover#handOver} is done. Connections that
     * stay may still be served.
     *
     * @param report how the handover went
     */
    default void handedOver(HandoverReport report) {}

    /**
     * Is called when a handover has failed, and the server goes on as if nothing had been asked.
     *
     * @param reason why, as the future of {@link ServerHandover#handOver} fails with it
     */
    default void handoverFailed(Throwable reason) {}

    /**
     * Is called when the session with the escrow is lost, because the daemon has died or has ended it. Connections would not
     * outlive a crash until it is regained.
     */
    default void sessionLost() {}

    /**
     * Is called when there is a session again after it was lost. In crash-safe mode, everything is then being stored anew. A
     * server that is not crash-safe looks for a session only when it is to be handed over.
     */
    default void sessionRegained() {}
}
