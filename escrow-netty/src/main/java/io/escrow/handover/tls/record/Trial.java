package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Optional;

/** Tries which secret and which number a record was sealed with. */
public final class Trial {

    private final CipherSuite suite;
    private final RecordCipher cipher;

    /**
     * Makes a trial of one secret.
     *
     * @param suite the suite of the connection
     * @param secret of the direction of the records; is copied
     */
    public Trial(CipherSuite suite, byte[] secret) {
        this.suite = suite;
        cipher = new RecordCipher(suite, secret, 0);
    }

    /**
     * What was in a record.
     *
     * @param type one of {@link ContentType}; 0 if the record does not say
     * @param bytes the content, without padding
     */
    @SuppressWarnings("ArrayRecordComponent") // contents are not compared
    public record Content(int type, byte[] bytes) {}

    /** Returns the trial of the secret behind the next KeyUpdate of TLS 1.3. */
    public Trial next() {
        return new Trial(suite, KeyDerivation.nextSecret(suite, cipher.secret()));
    }

    /** Returns the secret, not a copy. */
    public byte[] secret() {
        return cipher.secret();
    }

    /**
     * Returns whether a record was sealed with this secret and this number.
     *
     * @param record one whole record with its header; is not changed
     * @param sequence the number, not negative
     */
    public boolean opens(ByteBuffer record, long sequence) {
        return open(record, sequence).isPresent();
    }

    /**
     * Opens a record.
     *
     * @param record one whole record with its header; is not changed
     * @param sequence the number, not negative
     * @return empty if it was not sealed with this secret and this number
     */
    public Optional<Content> open(ByteBuffer record, long sequence) {
        int length = record.remaining();
        if (length < suite.overhead() || length > RecordFormat.MAX_RECORD) {
            return Optional.empty();
        }
        if (suite.isChaCha20()) {
            cipher.renew();
        }
        cipher.sequence(sequence);
        ByteBuffer content = ByteBuffer.allocate(length);
        try {
            int type = cipher.open(record.duplicate(), content);
            byte[] bytes = new byte[content.position()];
            content.flip().get(bytes);
            return Optional.of(new Content(type, bytes));
        } catch (GeneralSecurityException e) {
            return Optional.empty();
        }
    }
}
