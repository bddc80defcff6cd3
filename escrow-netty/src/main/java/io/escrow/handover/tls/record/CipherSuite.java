package io.escrow.handover.tls.record;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A version of TLS with a cipher suite that connections can move with: AES-GCM or ChaCha20-Poly1305. */
public final class CipherSuite {

    /** The name of version 1.3, as an {@link javax.net.ssl.SSLSession} says it. */
    public static final String TLS_1_3 = "TLSv1.3";

    /** The name of version 1.2, as an {@link javax.net.ssl.SSLSession} says it. */
    public static final String TLS_1_2 = "TLSv1.2";

    private static final String AEADS = "_(AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)";
    private static final Pattern NAME_1_3 = Pattern.compile("TLS" + AEADS);
    /** How the keys were exchanged makes no difference to the records. */
    private static final Pattern NAME_1_2 = Pattern.compile("TLS_[A-Za-z_]{1,20}_WITH" + AEADS);

    /** Those that were found, by name, as each connection asks. */
    private static final Map<String, CipherSuite> FOUND_1_3 = new ConcurrentHashMap<>();

    private static final Map<String, CipherSuite> FOUND_1_2 = new ConcurrentHashMap<>();

    /** Names may come from elsewhere: no more are kept than there are good ones. */
    private static final int MOST_FOUND = 32;

    private final boolean tls13;
    private final String name;
    private final boolean chaCha20;
    private final int keyLength;
    private final String hmac;
    private final int hashLength;

    private CipherSuite(boolean tls13, String name, String aead) {
        this.tls13 = tls13;
        this.name = name;
        chaCha20 = aead.startsWith("CHACHA20");
        keyLength = aead.startsWith("AES_128") ? 16 : 32;
        boolean sha384 = aead.endsWith("SHA384");
        hmac = sha384 ? "HmacSHA384" : "HmacSHA256";
        hashLength = sha384 ? 48 : 32;
    }

    /**
     * Finds a suite.
     *
     * @param protocol as {@link javax.net.ssl.SSLSession#getProtocol()} says it
     * @param name as {@link javax.net.ssl.SSLSession#getCipherSuite()} says it
     * @return empty if connections can't move with it
     */
    public static Optional<CipherSuite> of(String protocol, String name) {
        boolean tls13 = protocol.equals(TLS_1_3);
        if (!tls13 && !protocol.equals(TLS_1_2)) {
            return Optional.empty();
        }
        Map<String, CipherSuite> found = tls13 ? FOUND_1_3 : FOUND_1_2;
        CipherSuite suite = found.get(name);
        if (suite == null) {
            Matcher matcher = (tls13 ? NAME_1_3 : NAME_1_2).matcher(name);
            if (!matcher.matches()) {
                return Optional.empty();
            }
            suite = new CipherSuite(tls13, name, matcher.group(1));
            if (found.size() < MOST_FOUND) {
                found.put(name, suite);
            }
        }
        return Optional.of(suite);
    }

    /** Returns the name of the suite, as an {@link javax.net.ssl.SSLSession} says it. */
    public String name() {
        return name;
    }

    /** Returns the version of TLS, as an {@link javax.net.ssl.SSLSession} says it. */
    public String protocol() {
        return tls13 ? TLS_1_3 : TLS_1_2;
    }

    /** Returns whether the version is 1.3; otherwise it is 1.2. */
    public boolean isTls13() {
        return tls13;
    }

    boolean isChaCha20() {
        return chaCha20;
    }

    /** Returns the name of the HMAC with the hash of this suite, as {@link javax.crypto.Mac} knows it. */
    String hmac() {
        return hmac;
    }

    int hashLength() {
        return hashLength;
    }

    int keyLength() {
        return keyLength;
    }

    /** Returns how many bytes of the nonce come from the keys. */
    int ivLength() {
        return tls13 || chaCha20 ? RecordFormat.NONCE : 4;
    }

    /** Returns how many bytes of the nonce are sent with each record. */
    int explicitNonceLength() {
        return RecordFormat.NONCE - ivLength();
    }

    /** Returns how long the secret of a direction is, in bytes; see {@link TlsState.Direction}. */
    public int secretLength() {
        return tls13 ? hashLength : keyLength + ivLength();
    }

    /** Returns how many bytes a record has more than the content in it, its header included. */
    int overhead() {
        return RecordFormat.HEADER + explicitNonceLength() + (tls13 ? 1 : 0) + RecordFormat.TAG;
    }

    @Override
    public String toString() {
        return protocol() + " " + name;
    }
}
