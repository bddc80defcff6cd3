package io.escrow.handover.tls.record;

import java.security.cert.Certificate;
import java.security.cert.CertificateEncodingException;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/**
 * What handlers may ask the session of a connection for, beside its suite.
 *
 * @param applicationProtocol what ALPN has chosen; empty if nothing
 * @param serverName the name that the client asked for (SNI); empty if none
 * @param id the id of the session, at most 255 bytes; kept, not changed
 * @param creationTime in milliseconds since 1970
 * @param peerCertificates the chain of the client's certificates in DER, its own first; kept, not changed
 */
@SuppressWarnings("ArrayRecordComponent") // sessions are not compared
public record SessionInfo(
        String applicationProtocol, String serverName, byte[] id, long creationTime, List<byte[]> peerCertificates) {

    /** Copies the list of certificates, not these. */
    public SessionInfo {
        peerCertificates = List.copyOf(peerCertificates);
    }

    /**
     * Takes what a session has.
     *
     * @param session of a connection whose handshake is done
     * @param applicationProtocol what ALPN has chosen; null or empty if nothing
     * @param serverName the name that the client asked for; null or empty if none
     * @return the values
     * @throws IllegalArgumentException if a certificate has no encoding
     */
    public static SessionInfo of(SSLSession session, String applicationProtocol, String serverName) {
        return new SessionInfo(
                applicationProtocol == null ? "" : applicationProtocol,
                serverName == null ? "" : serverName,
                session.getId(),
                session.getCreationTime(),
                peerCertificates(session));
    }

    private static List<byte[]> peerCertificates(SSLSession session) {
        Certificate[] chain;
        try {
            chain = session.getPeerCertificates();
        } catch (SSLPeerUnverifiedException e) {
            return List.of(); // that is how a session says so
        }
        List<byte[]> encoded = new ArrayList<>();
        for (Certificate each : chain) {
            try {
                encoded.add(each.getEncoded());
            } catch (CertificateEncodingException e) {
                throw new IllegalArgumentException("a certificate of the client has no encoding: " + each.getType(), e);
            }
        }
        return encoded;
    }

    @Override
    public String toString() {
        return "alpn=" + applicationProtocol + " sni=" + serverName + " certificates=" + peerCertificates.size();
    }
}
