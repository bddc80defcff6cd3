package io.escrow.handover.tls.record;

import java.util.List;
import java.util.function.BiFunction;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSession;

/** A server's engine of which everything is settled. It takes no settings; Netty makes them on every engine. */
abstract class SettledEngine extends SSLEngine {

    private final MovedSession session;

    SettledEngine(MovedSession session) {
        this.session = session;
    }

    @Override
    public final SSLSession getSession() {
        return session;
    }

    final SessionInfo info() {
        return session.info();
    }

    @Override
    public final SSLSession getHandshakeSession() {
        return null;
    }

    @Override
    public final Runnable getDelegatedTask() {
        return null;
    }

    @Override
    public final String getApplicationProtocol() {
        return info().applicationProtocol();
    }

    @Override
    public final String getHandshakeApplicationProtocol() {
        return getApplicationProtocol();
    }

    @Override
    public final void setHandshakeApplicationProtocolSelector(BiFunction<SSLEngine, List<String>, String> selector) {}

    @Override
    public final BiFunction<SSLEngine, List<String>, String> getHandshakeApplicationProtocolSelector() {
        return null;
    }

    @Override
    public final String[] getSupportedCipherSuites() {
        return new String[] {session.getCipherSuite()};
    }

    @Override
    public final String[] getEnabledCipherSuites() {
        return getSupportedCipherSuites();
    }

    @Override
    public final void setEnabledCipherSuites(String[] suites) {}

    @Override
    public final String[] getSupportedProtocols() {
        return new String[] {session.getProtocol()};
    }

    @Override
    public final String[] getEnabledProtocols() {
        return getSupportedProtocols();
    }

    @Override
    public final void setEnabledProtocols(String[] protocols) {}

    @Override
    public final void setUseClientMode(boolean mode) {}

    @Override
    public final boolean getUseClientMode() {
        return false;
    }

    @Override
    public final void setNeedClientAuth(boolean need) {}

    @Override
    public final boolean getNeedClientAuth() {
        return false;
    }

    @Override
    public final void setWantClientAuth(boolean want) {}

    @Override
    public final boolean getWantClientAuth() {
        return false;
    }

    @Override
    public final void setEnableSessionCreation(boolean flag) {}

    @Override
    public final boolean getEnableSessionCreation() {
        return true;
    }
}
