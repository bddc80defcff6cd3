package io.escrow.client;

/**
 * Is told when a client that connects again by itself has lost its session, and when it has a new one. The event loop
 * calls it, so it must not block; what it throws is logged.
 */
public interface SessionListener {

    /**
     * Called when the session is lost and the client begins to connect again. Every request in doubt has failed by then;
     * the others wait.
     *
     * @param inDoubt how many requests were sent and not answered, those of bulk calls counted one by one
     */
    default void sessionLost(int inDoubt) {}

    /**
     * Called when a new session has begun, before any request is sent in it: so those that are cancelled now are never
     * sent. Those that are made now are sent behind the ones that wait. The slots may have been changed by others meanwhile.
     * If the daemon has lost them, all are empty. The limits of the client are those that the daemon has told now.
     */
    default void sessionRegained() {}
}
