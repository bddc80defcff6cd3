package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.SslHandler;

/**
 * Follows one TLS connection until its state is taken. Lives on the connection's event loop.
 *
 * <p>The caller looks at the {@code SslHandler} itself, so a tracker need not: the handshake is done, and nothing waits in it to be
 * encrypted.
 */
public interface TlsTracker {

    /** Is told of an {@code SslHandler} that has not read anything yet, if that is known then. It need not be of the source. */
    default void begins(SslHandler ssl) {}

    /** Returns whether this tracker knows an {@code SslHandler}, now that there is one: its engine is of the source's provider. */
    boolean isOf(SslHandler ssl);

    /**
     * Returns why the connection can't be moved, and what to change; {@code null} if it can. Asked when the handshake is done,
     * again and again.
     */
    String whyImmovable(SslHandler ssl);

    /** Returns what is half done and will be done soon, such as a message of several records; {@code null} if nothing is. */
    String whyBusy(SslHandler ssl);

    /** Returns a copy of what has come in and was not decrypted: part of a record, or nothing. Changes nothing. */
    byte[] received(SslHandler ssl);

    /**
     * Fills in where a connection is that can be moved, whatever is half done. Asked behind each read and write, so it is to be quick.
     *
     * @return whether it is between two records in both directions, and nothing is owed or half done
     */
    boolean at(SslHandler ssl, TlsPosition position);

    /**
     * Returns a copy of the keys of a connection that can be moved, which goes on here. What else the state says, such as numbers, may
     * be half done.
     */
    TlsState keys(SslHandler ssl);

    /**
     * Returns the state of a connection that can be moved and is at rest. Nothing goes in or out until {@link #resume} or {@link
     * #destroy} is called, or the channel is closed.
     */
    TlsState take(SslHandler ssl);

    /**
     * Sets what counts the bytes of the network, if a handler that this tracker has added sees them all.
     *
     * @param next the first handler on the network's side
     * @return whether it does
     */
    default boolean tells(NetworkMeter network, ChannelHandler next) {
        return false;
    }

    /** Is called after {@link #take} when the connection goes on here, because no other process does: with the numbers that it has. */
    default void resume() {}

    /** Is called after {@link #take} when another process goes on: overwrites the secrets, as far as it has any. */
    default void destroy() {}

    /** Forgets the connection, whose handler of TLS turned out to be of another source, or of none; takes away what it has added. */
    default void forget() {}
}
