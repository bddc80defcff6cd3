package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslHandler;
import javax.net.ssl.SSLEngine;

/**
 * Takes the state out of the JDK's own engine: {@link JdkEngine} knows where it has it. That needs {@code --add-opens
 * java.base/sun.security.ssl=ALL-UNNAMED}, and nothing before the move.
 */
public final class JdkTlsSource implements TlsSource {

    @Override
    public TlsTracker follow(ChannelHandlerContext tls, PlaintextMeter meter) {
        return tls.handler() instanceof SslHandler ssl && JdkEngine.of(ssl.engine()) == null ? null : new Tracker();
    }

    private static final class Tracker implements TlsTracker {
        private SslHandler known;
        private JdkEngine engine;

        /** Whether the engine was asked before, and tells. */
        private boolean telling;

        private JdkEngine engine(SslHandler ssl) {
            if (known != ssl) {
                SSLEngine inner = JdkEngine.of(ssl.engine());
                engine = inner == null ? null : new JdkEngine(inner);
                known = ssl;
                telling = false;
            }
            return engine;
        }

        @Override
        public boolean isOf(SslHandler ssl) {
            return engine(ssl) != null;
        }

        @Override
        public String whyImmovable(SslHandler ssl) {
            return engine(ssl).whyUnknown();
        }

        @Override
        public String whyBusy(SslHandler ssl) {
            return engine(ssl).whyBusy();
        }

        @Override
        public byte[] received(SslHandler ssl) {
            return SslInternals.collected(ssl);
        }

        @Override
        public boolean at(SslHandler ssl, TlsPosition position) {
            telling = telling || (isOf(ssl) && engine(ssl).whyUnknown() == null);
            return telling && engine(ssl).at(position) && SslInternals.hasCollectedNothing(ssl);
        }

        @Override
        public TlsState keys(SslHandler ssl) {
            return take(ssl);
        }

        @Override
        public TlsState take(SslHandler ssl) {
            return engine(ssl).state(ssl.applicationProtocol());
        }
    }
}
