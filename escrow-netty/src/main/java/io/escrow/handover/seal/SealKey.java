package io.escrow.handover.seal;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Keeps a secret of 32 bytes of which the keys of single sealings are derived, until it is destroyed. It has an identifier that is
 * derived of it, too: that may be read by everybody. May be used by any thread.
 */
public final class SealKey {

    /** The length of a secret, in bytes. */
    public static final int LENGTH = 32;

    static final int ID_LENGTH = 8;

    private static final String MAC = "HmacSHA256";
    private static final byte[] ID_LABEL = "escrow seal id".getBytes(US_ASCII);
    private static final byte[] KEY_LABEL = "escrow seal key".getBytes(US_ASCII);

    private final byte[] secret;
    private final byte[] id;
    private boolean destroyed;

    /**
     * Copies a secret.
     *
     * @throws IllegalArgumentException if it has not {@value #LENGTH} bytes
     */
    public SealKey(byte[] secret) {
        if (secret.length != LENGTH) {
            throw new IllegalArgumentException(
                    "seal key: " + secret.length + " bytes (expected: " + LENGTH + " random ones)");
        }
        this.secret = secret.clone();
        this.id = Arrays.copyOf(derive(ID_LABEL, new byte[0]), ID_LENGTH);
    }

    /** Returns what tells which key this is, as hexadecimal text. */
    String id() {
        return HexFormat.of().formatHex(id);
    }

    byte[] idBytes() {
        return id.clone();
    }

    boolean hasId(byte[] other) {
        return Arrays.equals(id, other);
    }

    /** Returns the key of AES that belongs to some bytes; the caller overwrites it. */
    byte[] derive(byte[] salt) {
        return derive(KEY_LABEL, salt);
    }

    private synchronized byte[] derive(byte[] label, byte[] salt) {
        if (destroyed) {
            // With what is there now, everybody could open what is sealed.
            throw new IllegalStateException(this + " was overwritten: the server was handed over, or closed");
        }
        try {
            Mac mac = Mac.getInstance(MAC);
            mac.init(new SecretKeySpec(secret, MAC));
            mac.update(label);
            mac.update((byte) 0);
            return mac.doFinal(salt);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no " + MAC, e);
        }
    }

    /** Returns a key that is destroyed for itself. */
    public synchronized SealKey copy() {
        return new SealKey(secret);
    }

    /** Overwrites the secret. Nothing is derived of it any more. */
    synchronized void destroy() {
        destroyed = true;
        Arrays.fill(secret, (byte) 0);
    }

    @Override
    public String toString() {
        return "SealKey{" + id() + "}";
    }
}
