package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.NonceRecord;
import io.escrow.handover.tls.record.TlsState;
import javax.net.ssl.SSLEngine;

/** Has the keys that a server writes with out of its client, which is an engine of the JDK. */
public final class ClientNonces {

    private ClientNonces() {}

    /**
     * Begins to note what the server seals.
     *
     * @param client whose handshake is done; what it has not unwrapped yet is to be noted first
     * @return {@code null} if the cipher suite is none whose connections move
     */
    public static NonceRecord of(SSLEngine client) {
        if (CipherSuite.of(
                        client.getSession().getProtocol(), client.getSession().getCipherSuite())
                .isEmpty()) {
            return null;
        }
        TlsState own = new JdkEngine(client).state(null);
        return new NonceRecord(
                new TlsState(own.suite(), own.writes(), own.reads(), own.halfClose(), own.message(), own.session()));
    }
}
