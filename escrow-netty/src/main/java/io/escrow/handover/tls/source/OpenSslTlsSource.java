package io.escrow.handover.tls.source;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.OpenSslContext;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;

/**
 * Knows where the state of the connections of the provider {@code OPENSSL} is, when that is BoringSSL. In TLS 1.3 BoringSSL tells the
 * secrets during the handshake, in 1.2 whenever it is asked. The numbers are counted by a handler before that of TLS, which looks at
 * nothing but the headers of records, unless a KeyUpdate may be in one.
 */
public final class OpenSslTlsSource implements TlsSource {

    private static final String TAP = "escrow-tls-tap";

    /**
     * Listens to contexts, from their next handshakes on, as long as they live. Others are listened to when their first connection comes.
     *
     * @param contexts of servers, of the provider {@code OPENSSL}
     * @throws IllegalArgumentException if one can't be listened to; says why, and what to change
     */
    public OpenSslTlsSource(Iterable<? extends SslContext> contexts) {
        contexts.forEach(KeyLog::listenTo);
    }

    /** Returns whether there is BoringSSL. */
    public static boolean isAvailable() {
        return OpenSsl.isAvailable() && String.valueOf(OpenSsl.versionString()).startsWith("BoringSSL");
    }

    /** Returns whether a context is of the provider. */
    public static boolean isOf(SslContext context) {
        return context instanceof OpenSslContext;
    }

    @Override
    public TlsTracker follow(ChannelHandlerContext tls, PlaintextMeter meter) {
        if (tls.handler() instanceof SslHandler ssl && !(ssl.engine() instanceof ReferenceCountedOpenSslEngine)) {
            return null;
        }
        OpenSslTap tap = new OpenSslTap(meter);
        ChannelPipeline pipeline = tls.pipeline();
        pipeline.addBefore(tls.name(), TAP, tap);
        return new OpenSslTracker(pipeline, tap, tls.executor() == tls.channel().eventLoop());
    }
}
