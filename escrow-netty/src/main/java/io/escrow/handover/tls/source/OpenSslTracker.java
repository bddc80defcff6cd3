package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslHandler;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLSession;

/** Follows a connection whose handshake BoringSSL does. */
final class OpenSslTracker implements TlsTracker {

    private final ChannelPipeline pipeline;
    private final OpenSslTap tap;
    private final boolean onEventLoop;

    OpenSslTracker(ChannelPipeline pipeline, OpenSslTap tap, boolean onEventLoop) {
        this.pipeline = pipeline;
        this.tap = tap;
        this.onEventLoop = onEventLoop;
    }

    @Override
    public boolean isOf(SslHandler ssl) {
        return ssl.engine() instanceof ReferenceCountedOpenSslEngine;
    }

    @Override
    public void begins(SslHandler ssl) {
        tap.follow(ssl);
    }

    @Override
    public String whyImmovable(SslHandler ssl) {
        if (!onEventLoop) {
            return "the handler of TLS has an executor of its own: add it without one";
        }
        if (engine(ssl).sslPointer() == 0) {
            return "its engine is closed";
        }
        return tap.ledger(ssl).trouble();
    }

    @Override
    public String whyBusy(SslHandler ssl) {
        return tap.isBetweenRecords() ? tap.ledger(ssl).whyBusy() : "a record of which a part is written";
    }

    @Override
    public byte[] received(SslHandler ssl) {
        return tap.received();
    }

    @Override
    public boolean at(SslHandler ssl, TlsPosition position) {
        boolean settled = tap.ledger(ssl).at(position);
        return settled && tap.isBetweenRecords() && tap.hasNothingReceived() && SslInternals.hasCollectedNothing(ssl);
    }

    @Override
    public TlsState keys(SslHandler ssl) {
        SSLSession session = ssl.engine().getSession();
        return tap.ledger(ssl)
                .state(engine(ssl), SessionInfo.of(session, ssl.applicationProtocol(), serverName(session)));
    }

    @Override
    public TlsState take(SslHandler ssl) {
        TlsState state = keys(ssl);
        tap.freeze();
        return state;
    }

    @Override
    public boolean tells(NetworkMeter network, ChannelHandler next) {
        if (next != tap) {
            return false;
        }
        tap.tell(network);
        return true;
    }

    @Override
    public void resume() {
        tap.resume();
    }

    @Override
    public void destroy() {
        tap.destroy();
    }

    private static String serverName(SSLSession session) {
        if (session instanceof ExtendedSSLSession extended) {
            for (Object each : extended.getRequestedServerNames()) {
                if (each instanceof SNIHostName name) {
                    return name.getAsciiName();
                }
            }
        }
        return null;
    }

    private static ReferenceCountedOpenSslEngine engine(SslHandler ssl) {
        return (ReferenceCountedOpenSslEngine) ssl.engine();
    }

    @Override
    public void forget() {
        tap.leave(pipeline);
    }
}
