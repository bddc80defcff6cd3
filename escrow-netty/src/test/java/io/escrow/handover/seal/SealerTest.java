package io.escrow.handover.seal;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;

class SealerTest {

    private static final byte[] PLAIN = "the traffic secret".getBytes(UTF_8);
    private static final byte[] BINDING = {0, 0, 0, 0, 0, 0, 0, 42};

    private static final SealKey FIRST = key(1);
    private static final SealKey SECOND = key(2);

    static SealKey key(int fill) {
        byte[] secret = new byte[SealKey.LENGTH];
        Arrays.fill(secret, (byte) fill);
        return new SealKey(secret);
    }

    static Sealer sealer(SealKey... keys) {
        Sealer sealer = new Sealer(() -> List.of(keys));
        try {
            sealer.reload();
        } catch (EscrowException e) {
            throw new AssertionError(e);
        }
        return sealer;
    }

    @Test
    void whatIsSealedOpensWhereItBelongs() throws Exception {
        byte[] sealed = sealer(FIRST).seal("tls", PLAIN, BINDING);
        assertEquals(PLAIN.length + Sealer.OVERHEAD, sealed.length);
        assertFalse(new String(sealed, US_ASCII).contains("secret"));
        assertArrayEquals(PLAIN, sealer(FIRST).open("tls", sealed, BINDING));
        assertEquals(0, sealer(FIRST).open("gate", sealer(FIRST).seal("gate", new byte[0], BINDING), BINDING).length);
    }

    @Test
    void theSameIsNeverSealedToTheSameBytes() {
        byte[] one = sealer(FIRST).seal("tls", PLAIN, BINDING);
        byte[] other = sealer(FIRST).seal("tls", PLAIN, BINDING);
        int afterId = 1 + SealKey.ID_LENGTH;
        assertArrayEquals(Arrays.copyOf(one, afterId), Arrays.copyOf(other, afterId));
        int nonce = afterId + Sealer.SALT_LENGTH;
        assertNotEquals(hex(one, afterId, nonce), hex(other, afterId, nonce));
        assertNotEquals(hex(one, nonce, Sealer.HEADER_LENGTH), hex(other, nonce, Sealer.HEADER_LENGTH));
        assertNotEquals(hex(one, Sealer.HEADER_LENGTH, one.length), hex(other, Sealer.HEADER_LENGTH, other.length));
    }

    private static String hex(byte[] bytes, int from, int to) {
        return HexFormat.of().formatHex(bytes, from, to);
    }

    /** What RECORDS.md says, word for word, without the classes that do it. */
    @Test
    void itIsWhatTheSpecificationSays() throws Exception {
        byte[] secret = new byte[32];
        Arrays.fill(secret, (byte) 1);
        byte[] salt = HexFormat.of().parseHex("000102030405060708090a0b0c0d0e0f");
        byte[] nonce = HexFormat.of().parseHex("101112131415161718191a1b");
        ByteBuffer header = ByteBuffer.allocate(37)
                .put((byte) 1)
                .put(hmac(secret, "escrow seal id\0".getBytes(US_ASCII)), 0, 8)
                .put(salt)
                .put(nonce);
        Cipher aes = Cipher.getInstance("AES/GCM/NoPadding");
        byte[] label = "escrow seal key\0".getBytes(US_ASCII);
        byte[] message = Arrays.copyOf(label, label.length + salt.length);
        System.arraycopy(salt, 0, message, label.length, salt.length);
        aes.init(
                Cipher.ENCRYPT_MODE, new SecretKeySpec(hmac(secret, message), "AES"), new GCMParameterSpec(128, nonce));
        aes.updateAAD(header.array());
        aes.updateAAD(new byte[] {0, 3, 't', 'l', 's'});
        aes.updateAAD(BINDING);
        byte[] expected = Arrays.copyOf(header.array(), header.capacity() + PLAIN.length + 16);
        System.arraycopy(aes.doFinal(PLAIN), 0, expected, header.capacity(), PLAIN.length + 16);

        byte[] sealed = Sealer.seal(new SealKey(secret), salt, nonce, "tls", PLAIN, BINDING);
        assertEquals(HexFormat.of().formatHex(expected), HexFormat.of().formatHex(sealed));
        assertArrayEquals(PLAIN, sealer(new SealKey(secret)).open("tls", sealed, BINDING));
    }

    private static byte[] hmac(byte[] key, byte[] message) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(message);
    }

    @Test
    void itDoesNotOpenElsewhere() {
        byte[] sealed = sealer(FIRST).seal("tls", PLAIN, BINDING);
        assertStatus(Status.EINVAL, "was changed, or belongs", "gate", sealed, BINDING);
        assertStatus(Status.EINVAL, "was changed, or belongs", "tls", sealed, new byte[] {0, 0, 0, 0, 0, 0, 0, 43});
        assertStatus(Status.EINVAL, "was changed, or belongs", "tls", sealed, new byte[0]);
        // The border between name and binding counts.
        byte[] tl = sealer(FIRST).seal("tl", PLAIN, "sx".getBytes(UTF_8));
        assertStatus(Status.EINVAL, "was changed, or belongs", "tls", tl, "x".getBytes(UTF_8));
    }

    @Test
    void noChangedByteOpens() {
        byte[] sealed = sealer(FIRST).seal("tls", PLAIN, BINDING);
        for (int i = 0; i < sealed.length; i++) {
            byte[] changed = sealed.clone();
            changed[i] ^= 0x10;
            assertThrows(EscrowException.class, () -> sealer(FIRST).open("tls", changed, BINDING), "byte " + i);
            byte[] cut = Arrays.copyOf(sealed, i);
            assertThrows(EscrowException.class, () -> sealer(FIRST).open("tls", cut, BINDING), "cut at " + i);
        }
    }

    @Test
    void theKeyBeforeIsAcceptedAndTheCurrentOneSeals() throws Exception {
        byte[] before = sealer(FIRST).seal("tls", PLAIN, BINDING);
        Sealer rotated = sealer(SECOND, FIRST);
        assertArrayEquals(PLAIN, rotated.open("tls", before, BINDING));
        byte[] now = rotated.seal("tls", PLAIN, BINDING);
        assertArrayEquals(PLAIN, sealer(SECOND).open("tls", now, BINDING));
        assertStatus(Status.EACCES, SECOND.id() + " (expected: " + FIRST.id() + ")", "tls", now, BINDING);
    }

    @Test
    void withoutAKeyTheErrorSaysWhichIsNeeded() {
        byte[] sealed = sealer(FIRST).seal("tls", PLAIN, BINDING);
        EscrowException refused = assertThrows(EscrowException.class, () -> Sealer.NONE.open("tls", sealed, BINDING));
        assertEquals(Status.EACCES, refused.status());
        assertTrue(refused.text().contains("the key " + FIRST.id() + ", and this process has no seal key"));
        assertThrows(IllegalStateException.class, () -> Sealer.NONE.seal("tls", PLAIN, BINDING));
        assertFalse(Sealer.NONE.isSealing());
    }

    @Test
    void nothingOfAKeyIsPrinted() {
        byte[] secret = new byte[32];
        Arrays.fill(secret, (byte) 0xA5);
        SealKey key = new SealKey(secret);
        String printed = key + " " + sealer(key);
        assertFalse(printed.contains("a5a5"), printed);
        assertFalse(printed.contains("-91"), printed);
        assertTrue(printed.contains(key.id()));
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> new SealKey(new byte[16]));
        assertEquals("seal key: 16 bytes (expected: 32 random ones)", refused.getMessage());
    }

    @Test
    void aFailureLeavesTheKeysFromBefore() throws Exception {
        SealKey[] key = {FIRST};
        Sealer sealer = new Sealer(() -> {
            if (key[0] == null) {
                throw new EscrowException(Status.EIO, "no key today");
            }
            return List.of(key[0]);
        });
        sealer.reload();
        byte[] sealed = sealer.seal("tls", PLAIN, BINDING);
        key[0] = null;
        assertThrows(EscrowException.class, sealer::reload);
        assertArrayEquals(PLAIN, sealer.open("tls", sealed, BINDING));
    }

    private static void assertStatus(Status status, String text, String section, byte[] sealed, byte[] binding) {
        EscrowException refused =
                assertThrows(EscrowException.class, () -> sealer(FIRST).open(section, sealed, binding));
        assertEquals(status, refused.status(), refused.getMessage());
        assertTrue(refused.text().contains(text), refused.getMessage());
    }
}
