package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.spec.AlgorithmParameterSpec;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Seals or opens the records of one direction: keys, and the number of the next record. What that takes is made for the first record:
 * most of the connections that move are idle, and in a handover it would be most of their work, and of their garbage.
 */
final class RecordCipher {

    /** The ciphers and hashes that this JVM was found to have: at most four. */
    private static final Set<String> AVAILABLE = ConcurrentHashMap.newKeySet();

    private final CipherSuite suite;
    private final byte[] nonce = new byte[RecordFormat.NONCE];
    private byte[] secret;
    private long sequence;
    private boolean destroyed;

    /** What follows from the secret; {@code null} if it is not made. */
    private SecretKey key;

    private byte[] iv;

    /** {@code null} if it is not made. */
    private Cipher cipher;

    private byte[] additional;

    /**
     * Keeps the secret of a direction.
     *
     * @throws IllegalStateException if this JVM lacks the cipher
     */
    RecordCipher(CipherSuite suite, byte[] secret, long sequence) {
        this.suite = suite;
        this.sequence = sequence;
        this.secret = secret.clone();
        String needed = transformation() + suite.hmac();
        if (!AVAILABLE.contains(needed)) {
            makeReady();
            AVAILABLE.add(needed);
        }
    }

    private String transformation() {
        return suite.isChaCha20() ? "ChaCha20-Poly1305" : "AES/GCM/NoPadding";
    }

    /** Forgets which nonces there were. The JDK's ChaCha20 refuses the nonce of before even to decrypt. */
    void renew() {
        cipher = null;
    }

    private void makeReady() {
        if (destroyed) {
            // With the secret as it is now, it would be the key of anybody.
            throw new IllegalStateException("the keys of the connection are destroyed");
        }
        if (cipher == null) {
            try {
                cipher = Cipher.getInstance(transformation());
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException(suite + ": the security providers of this JVM lack its cipher", e);
            }
        }
        if (key == null) {
            additional = new byte[suite.isTls13() ? RecordFormat.HEADER : 13];
            deriveKey();
        }
    }

    private void deriveKey() {
        int keyLength = suite.keyLength();
        byte[] bytes;
        if (suite.isTls13()) {
            Mac mac = KeyDerivation.mac(suite.hmac(), secret);
            bytes = KeyDerivation.expandLabel(mac, KeyDerivation.KEY, keyLength);
            iv = KeyDerivation.expandLabel(mac, KeyDerivation.IV, RecordFormat.NONCE);
        } else {
            bytes = Arrays.copyOf(secret, keyLength);
            iv = Arrays.copyOfRange(secret, keyLength, secret.length);
        }
        key = new SecretKeySpec(bytes, suite.isChaCha20() ? "ChaCha20" : "AES");
        Arrays.fill(bytes, (byte) 0);
    }

    /** Takes the next key, as each KeyUpdate says: the numbers begin anew. */
    void update() {
        byte[] before = secret;
        secret = KeyDerivation.nextSecret(suite, before);
        Arrays.fill(before, (byte) 0);
        forgetKey();
        sequence = 0;
    }

    private void forgetKey() {
        if (iv != null) {
            Arrays.fill(iv, (byte) 0);
        }
        key = null;
    }

    /** Lets go of all that is secret, and overwrites what can be. Nothing is sealed or opened any more. */
    void destroy() {
        destroyed = true;
        Arrays.fill(secret, (byte) 0);
        forgetKey();
        cipher = null;
    }

    /** Returns the secret that the keys come from, not a copy. */
    byte[] secret() {
        return secret;
    }

    /** Returns the number of the next record. */
    long sequence() {
        return sequence;
    }

    void sequence(long next) {
        sequence = next;
    }

    /**
     * Seals one record. Whatever becomes of it, its number is not used again.
     *
     * @param type what is in it
     * @param sources hold the content
     * @param offset the first of them
     * @param length how many bytes are taken, at most {@link RecordFormat#MAX_CONTENT} and what is there
     * @param target has room for as many bytes, and {@link CipherSuite#overhead}
     */
    void seal(int type, ByteBuffer[] sources, int offset, int length, ByteBuffer target)
            throws GeneralSecurityException {
        if (sequence == Long.MAX_VALUE) {
            throw new GeneralSecurityException("the numbers of this key are used up");
        }
        makeReady();
        long number = sequence++;
        boolean tls13 = suite.isTls13();
        int rest = length + suite.overhead() - RecordFormat.HEADER;
        target.put((byte) (tls13 ? ContentType.APPLICATION_DATA : type))
                .put((byte) (RecordFormat.VERSION >> 8))
                .put((byte) RecordFormat.VERSION)
                .put((byte) (rest >> 8))
                .put((byte) rest);
        nonce(number);
        target.put(nonce, suite.ivLength(), suite.explicitNonceLength());
        cipher.init(Cipher.ENCRYPT_MODE, key, parameters());
        if (tls13) {
            additional(ContentType.APPLICATION_DATA, RecordFormat.VERSION, rest);
        } else {
            additional(number, type, length);
        }
        // In place, and at once: that is what the JDK's ciphers do fastest.
        ByteBuffer plain = target.duplicate();
        put(sources, offset, length, plain);
        if (tls13) {
            plain.put((byte) type);
        }
        cipher.doFinal(plain.limit(plain.position()).position(target.position()), target);
    }

    private static void put(ByteBuffer[] sources, int offset, int length, ByteBuffer target) {
        int left = length;
        for (int i = offset; left > 0; i++) {
            ByteBuffer source = sources[i];
            int part = Math.min(left, source.remaining());
            int limit = source.limit();
            target.put(source.limit(source.position() + part));
            source.limit(limit);
            left -= part;
        }
    }

    /**
     * Opens one record.
     *
     * @param record exactly one, at least {@link CipherSuite#overhead} bytes, big-endian; is read
     * @param target has room for the content, and in TLS 1.3 for the type and the padding; gets the content
     * @return what is in it, as the record itself says; 0 if it does not say
     * @throws GeneralSecurityException if it does not authenticate
     */
    int open(ByteBuffer record, ByteBuffer target) throws GeneralSecurityException {
        makeReady();
        int type = record.get() & 0xff;
        short version = record.getShort();
        int rest = record.getShort() & 0xffff;
        nonce(sequence);
        record.get(nonce, suite.ivLength(), suite.explicitNonceLength());
        cipher.init(Cipher.DECRYPT_MODE, key, parameters());
        if (suite.isTls13()) {
            additional(type, version, rest);
        } else {
            additional(sequence, type, rest + RecordFormat.HEADER - suite.overhead());
        }
        int start = target.position();
        cipher.doFinal(record, target);
        sequence++;
        return suite.isTls13() ? unpad(target, start) : type;
    }

    /** Takes the padding and the type off the end, and returns the type. */
    private static int unpad(ByteBuffer target, int start) {
        for (int i = target.position() - 1; i >= start; i--) {
            int type = target.get(i) & 0xff;
            if (type != 0) {
                target.position(i);
                return type;
            }
        }
        target.position(start);
        return 0;
    }

    private void nonce(long number) {
        System.arraycopy(iv, 0, nonce, 0, iv.length);
        boolean xor = iv.length == RecordFormat.NONCE;
        for (int i = RecordFormat.NONCE - 1, shift = 0; shift < Long.SIZE; i--, shift += Byte.SIZE) {
            byte b = (byte) (number >>> shift);
            nonce[i] = xor ? (byte) (nonce[i] ^ b) : b;
        }
    }

    private AlgorithmParameterSpec parameters() {
        return suite.isChaCha20()
                ? new IvParameterSpec(nonce)
                : new GCMParameterSpec(RecordFormat.TAG * Byte.SIZE, nonce);
    }

    /** TLS 1.3: the header of the record is authenticated. */
    private void additional(int type, short version, int length) {
        putHeader(0, type, version, length);
    }

    /** TLS 1.2: the number, and the header as it would be without encryption. */
    private void additional(long number, int type, int length) {
        for (int i = 7, shift = 0; i >= 0; i--, shift += Byte.SIZE) {
            additional[i] = (byte) (number >>> shift);
        }
        putHeader(8, type, RecordFormat.VERSION, length);
    }

    private void putHeader(int at, int type, short version, int length) {
        additional[at] = (byte) type;
        additional[at + 1] = (byte) (version >> 8);
        additional[at + 2] = (byte) version;
        additional[at + 3] = (byte) (length >> 8);
        additional[at + 4] = (byte) length;
        cipher.updateAAD(additional);
    }
}
