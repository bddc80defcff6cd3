package io.escrow.handover.tls.source;

import io.netty.channel.ChannelHandlerContext;

/**
 * Knows where the state of the TLS connections of one provider is. One object serves all connections of a server; its methods
 * are called on their event loops.
 */
public interface TlsSource {

    /**
     * Begins to follow a connection, before its first read. May add handlers before the handler of TLS, whose names begin with
     * {@code escrow-}: they stay when that handler is replaced, as a {@code SniHandler} replaces itself.
     *
     * @param tls the handler of TLS in its pipeline: an {@code SslHandler}, or one that is going to put an {@code SslHandler} in
     *     its own place, such as a {@code SniHandler} or an {@code OptionalSslHandler}
     * @param meter stands right behind it from the first read on
     * @return what follows the connection; {@code null} if the {@code SslHandler} is there, and is not of this source
     */
    TlsTracker follow(ChannelHandlerContext tls, PlaintextMeter meter);
}
