package io.escrow.handover.tls.record;

import static java.util.Objects.requireNonNull;

import java.io.ByteArrayInputStream;
import java.security.Principal;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSessionBindingEvent;
import javax.net.ssl.SSLSessionBindingListener;
import javax.net.ssl.SSLSessionContext;

/** The session of a moved connection: tells what it told before. Any thread may ask. */
final class MovedSession extends ExtendedSSLSession {

    private final CipherSuite suite;
    private final SessionInfo info;
    private final Map<String, Object> values = new ConcurrentHashMap<>();
    private volatile Certificate[] peerCertificates;
    private volatile boolean invalid;

    MovedSession(CipherSuite suite, SessionInfo info) {
        this.suite = suite;
        this.info = info;
    }

    SessionInfo info() {
        return info;
    }

    @Override
    public String getProtocol() {
        return suite.protocol();
    }

    @Override
    public String getCipherSuite() {
        return suite.name();
    }

    @Override
    public byte[] getId() {
        return info.id().clone();
    }

    @Override
    public long getCreationTime() {
        return info.creationTime();
    }

    @Override
    public long getLastAccessedTime() {
        return info.creationTime();
    }

    @Override
    public Certificate[] getPeerCertificates() throws SSLPeerUnverifiedException {
        if (info.peerCertificates().isEmpty()) {
            throw new SSLPeerUnverifiedException("the client has sent no certificate");
        }
        if (peerCertificates == null) {
            peerCertificates = decodeCertificates();
        }
        return peerCertificates.clone();
    }

    private Certificate[] decodeCertificates() throws SSLPeerUnverifiedException {
        try {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            Certificate[] chain = new Certificate[info.peerCertificates().size()];
            for (int i = 0; i < chain.length; i++) {
                chain[i] = factory.generateCertificate(
                        new ByteArrayInputStream(info.peerCertificates().get(i)));
            }
            return chain;
        } catch (CertificateException e) {
            SSLPeerUnverifiedException unreadable =
                    new SSLPeerUnverifiedException("a certificate of the client can't be read");
            unreadable.initCause(e);
            throw unreadable;
        }
    }

    @Override
    public Principal getPeerPrincipal() throws SSLPeerUnverifiedException {
        return ((X509Certificate) getPeerCertificates()[0]).getSubjectX500Principal();
    }

    /** Is not moved. */
    @Override
    public Certificate[] getLocalCertificates() {
        return null;
    }

    /** Is not moved. */
    @Override
    public Principal getLocalPrincipal() {
        return null;
    }

    @Override
    public List<SNIServerName> getRequestedServerNames() {
        if (info.serverName().isEmpty()) {
            return List.of();
        }
        try {
            return List.of(new SNIHostName(info.serverName()));
        } catch (IllegalArgumentException e) {
            return List.of(); // clients may send names that Java does not take for one, such as my_host
        }
    }

    @Override
    public String[] getLocalSupportedSignatureAlgorithms() {
        return new String[0];
    }

    @Override
    public String[] getPeerSupportedSignatureAlgorithms() {
        return new String[0];
    }

    @Override
    public SSLSessionContext getSessionContext() {
        return null;
    }

    @Override
    public void invalidate() {
        invalid = true;
    }

    @Override
    public boolean isValid() {
        return !invalid;
    }

    @Override
    public void putValue(String name, Object value) {
        Object before = values.put(requireNonNull(name, "name"), requireNonNull(value, "value"));
        if (value instanceof SSLSessionBindingListener bound) {
            bound.valueBound(new SSLSessionBindingEvent(this, name));
        }
        unbind(name, before);
    }

    @Override
    public Object getValue(String name) {
        return values.get(requireNonNull(name, "name"));
    }

    @Override
    public void removeValue(String name) {
        unbind(name, values.remove(requireNonNull(name, "name")));
    }

    private void unbind(String name, Object value) {
        if (value instanceof SSLSessionBindingListener unbound) {
            unbound.valueUnbound(new SSLSessionBindingEvent(this, name));
        }
    }

    @Override
    public String[] getValueNames() {
        return values.keySet().toArray(String[]::new);
    }

    @Override
    public String getPeerHost() {
        return null;
    }

    @Override
    public int getPeerPort() {
        return -1;
    }

    @Override
    public int getPacketBufferSize() {
        return RecordFormat.MAX_RECORD;
    }

    @Override
    public int getApplicationBufferSize() {
        return RecordFormat.MAX_CONTENT;
    }
}
