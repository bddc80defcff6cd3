package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The keys are made for the first record, whatever has happened before. */
class RecordCipherTest {

    private static final byte[] CONTENT = {1, 2, 3};

    private static CipherSuite suite(String protocol, String name) {
        return CipherSuite.of(protocol, name).orElseThrow();
    }

    private static byte[] secret(CipherSuite suite) {
        byte[] secret = new byte[suite.secretLength()];
        Arrays.fill(secret, (byte) 7);
        return secret;
    }

    private static byte[] seal(RecordCipher cipher) throws GeneralSecurityException {
        ByteBuffer record = ByteBuffer.allocate(100);
        cipher.seal(ContentType.APPLICATION_DATA, new ByteBuffer[] {ByteBuffer.wrap(CONTENT)}, 0, 3, record);
        return Arrays.copyOf(record.array(), record.position());
    }

    @ParameterizedTest
    @CsvSource({
        "TLSv1.3, TLS_AES_128_GCM_SHA256",
        "TLSv1.3, TLS_AES_256_GCM_SHA384",
        "TLSv1.3, TLS_CHACHA20_POLY1305_SHA256"
    })
    void keyIsUpdatedBeforeAndBehindTheFirstRecord(String protocol, String name) throws Exception {
        CipherSuite suite = suite(protocol, name);
        RecordCipher fresh = new RecordCipher(suite, secret(suite), 5);
        RecordCipher used = new RecordCipher(suite, secret(suite), 5);
        seal(used);
        fresh.update();
        used.update();
        assertEquals(0, fresh.sequence());

        byte[] record = seal(fresh);
        assertArrayEquals(record, seal(used));
        RecordCipher reader = new RecordCipher(suite, secret(suite), 0);
        reader.update();
        ByteBuffer content = ByteBuffer.allocate(100);
        assertEquals(ContentType.APPLICATION_DATA, reader.open(ByteBuffer.wrap(record), content));
        assertArrayEquals(CONTENT, Arrays.copyOf(content.array(), content.position()));
    }

    @ParameterizedTest
    @CsvSource({
        "TLSv1.3, TLS_AES_128_GCM_SHA256, false",
        "TLSv1.3, TLS_AES_128_GCM_SHA256, true",
        "TLSv1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false",
        "TLSv1.2, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, true"
    })
    void destroyedKeysSealAndOpenNothing(String protocol, String name, boolean used) throws Exception {
        CipherSuite suite = suite(protocol, name);
        RecordCipher cipher = new RecordCipher(suite, secret(suite), 0);
        byte[] record = seal(new RecordCipher(suite, secret(suite), 0));
        if (used) {
            seal(cipher);
        }
        cipher.destroy();

        assertThrows(IllegalStateException.class, () -> seal(cipher));
        assertThrows(IllegalStateException.class, () -> cipher.open(ByteBuffer.wrap(record), ByteBuffer.allocate(100)));
    }
}
