package io.escrow.handover.tls.source;

import io.escrow.testing.Certificates;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;

/** Keys of both algorithms, with certificates of their own. */
enum TestKeys {
    EC,
    RSA;

    private KeyStore store() {
        return this == EC ? Certificates.of("localhost") : Certificates.rsa("localhost");
    }

    KeyManagerFactory keys() throws GeneralSecurityException {
        return Certificates.keys(store());
    }

    TrustManagerFactory trust() throws GeneralSecurityException {
        return Certificates.trusting(store());
    }
}
