package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Derives keys from secrets. */
public final class KeyDerivation {

    static final byte[] KEY = label("key");
    static final byte[] IV = label("iv");
    private static final byte[] UPDATE = label("traffic upd");

    private KeyDerivation() {}

    private static byte[] label(String label) {
        return ("tls13 " + label).getBytes(StandardCharsets.US_ASCII);
    }

    /** The secrets of both directions, each as in {@link TlsState.Direction}. */
    @SuppressWarnings("ArrayRecordComponent") // secrets are not compared
    public record KeyBlock(byte[] client, byte[] server) {}

    /**
     * Derives what TLS 1.2 derives from the master secret (RFC 5246, 6.3).
     *
     * @param suite a suite of TLS 1.2
     * @param master the master secret
     * @param clientRandom 32 bytes
     * @param serverRandom 32 bytes
     * @return what the client and the server write with
     */
    public static KeyBlock keyBlock(CipherSuite suite, byte[] master, byte[] clientRandom, byte[] serverRandom) {
        int key = suite.keyLength();
        int iv = suite.ivLength();
        byte[] block = prf(suite.hmac(), master, "key expansion", serverRandom, clientRandom, 2 * (key + iv));
        ByteBuffer client = ByteBuffer.allocate(key + iv).put(block, 0, key).put(block, 2 * key, iv);
        ByteBuffer server = ByteBuffer.allocate(key + iv).put(block, key, key).put(block, 2 * key + iv, iv);
        Arrays.fill(block, (byte) 0);
        return new KeyBlock(client.array(), server.array());
    }

    /** Derives the traffic secret behind a KeyUpdate of TLS 1.3 (RFC 8446, 7.2). */
    static byte[] nextSecret(CipherSuite suite, byte[] secret) {
        return expandLabel(mac(suite.hmac(), secret), UPDATE, suite.hashLength());
    }

    /**
     * HKDF-Expand-Label of RFC 8446, 7.1, without a context, of at most one hash.
     *
     * @param mac with the secret; may be used again
     */
    static byte[] expandLabel(Mac mac, byte[] label, int length) {
        byte[] info = ByteBuffer.allocate(5 + label.length)
                .putShort((short) length)
                .put((byte) label.length)
                .put(label)
                .put((byte) 0)
                .put((byte) 1)
                .array();
        return Arrays.copyOf(mac.doFinal(info), length);
    }

    /** The pseudorandom function of RFC 5246, 5. */
    private static byte[] prf(String hmac, byte[] secret, String label, byte[] seedBegin, byte[] seedEnd, int length) {
        Mac mac = mac(hmac, secret);
        byte[] text = label.getBytes(StandardCharsets.US_ASCII);
        byte[] seed = ByteBuffer.allocate(text.length + seedBegin.length + seedEnd.length)
                .put(text)
                .put(seedBegin)
                .put(seedEnd)
                .array();
        byte[] result = new byte[length];
        byte[] a = seed;
        for (int done = 0; done < length; ) {
            a = mac.doFinal(a);
            mac.update(a);
            byte[] part = mac.doFinal(seed);
            int used = Math.min(part.length, length - done);
            System.arraycopy(part, 0, result, done, used);
            done += used;
        }
        return result;
    }

    /** Makes a HMAC with a key. */
    static Mac mac(String algorithm, byte[] key) {
        try {
            Mac mac = Mac.getInstance(algorithm);
            mac.init(new SecretKeySpec(key, algorithm));
            return mac;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(algorithm + ": the security providers of this JVM lack it", e);
        }
    }
}
