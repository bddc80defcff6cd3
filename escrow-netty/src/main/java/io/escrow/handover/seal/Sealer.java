package io.escrow.handover.seal;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Seals bytes with AES-256-GCM, and opens what was sealed; see "Sealed sections" in RECORDS.md. May be used by any thread.
 *
 * <p>Each sealing has a key of its own, derived from 16 random bytes, and 12 random bytes as its nonce: however often is sealed, no
 * key meets a nonce again.
 */
public final class Sealer {

    /** Seals nothing, and opens nothing. */
    public static final Sealer NONE = new Sealer(List::of);

    static final byte FORMAT = 1;
    static final int SALT_LENGTH = 16;
    static final int NONCE_LENGTH = 12;
    static final int TAG_LENGTH = 16;
    static final int HEADER_LENGTH = 1 + SealKey.ID_LENGTH + SALT_LENGTH + NONCE_LENGTH;

    /** By so many bytes, what is sealed is longer than what it was made of. */
    public static final int OVERHEAD = HEADER_LENGTH + TAG_LENGTH;

    private static final String CIPHER = "AES/GCM/NoPadding";
    private static final SecureRandom random = new SecureRandom();

    private final KeySource source;
    /** What is not current any more may still be in use by another thread. */
    private final Map<String, SealKey> loaded = new HashMap<>();

    private volatile List<SealKey> keys = List.of();

    /** Seals with the keys of a source, from the first {@link #reload()} on. */
    public Sealer(KeySource source) {
        this.source = source;
    }

    /**
     * Asks the source for its keys.
     *
     * @throws EscrowException if it has none to give; those from before stay
     */
    public synchronized void reload() throws EscrowException {
        List<SealKey> now = new ArrayList<>();
        for (SealKey key : source.load()) {
            SealKey known = loaded.putIfAbsent(key.id(), key);
            if (known == null || known == key) {
                now.add(key);
            } else {
                key.destroy();
                now.add(known);
            }
        }
        keys = List.copyOf(now);
    }

    /** Overwrites all keys. Nothing can be sealed or opened any more, and nothing is taken for what need not be sealed. */
    public synchronized void destroy() {
        loaded.values().forEach(SealKey::destroy);
    }

    /** Returns whether there is a key to seal with. */
    public boolean isSealing() {
        return !keys.isEmpty();
    }

    /**
     * Seals bytes.
     *
     * @param section what the bytes are
     * @param plain the bytes; not changed
     * @param binding what they belong to: is the same where they are opened
     * @return the sealed bytes; {@link #OVERHEAD} longer
     * @throws IllegalStateException if there is no key, or no more
     */
    public byte[] seal(String section, byte[] plain, byte[] binding) {
        List<SealKey> now = keys;
        if (now.isEmpty()) {
            throw new IllegalStateException("there is no seal key for section " + section);
        }
        return seal(now.get(0), random(SALT_LENGTH), random(NONCE_LENGTH), section, plain, binding);
    }

    /** Seals with what is random otherwise; for known answers. */
    static byte[] seal(SealKey key, byte[] salt, byte[] nonce, String section, byte[] plain, byte[] binding) {
        ByteBuffer sealed = ByteBuffer.allocate(OVERHEAD + plain.length);
        sealed.put(FORMAT).put(key.idBytes()).put(salt).put(nonce);
        byte[] header = Arrays.copyOf(sealed.array(), HEADER_LENGTH);
        byte[] derived = key.derive(salt);
        try {
            Cipher cipher = cipher(Cipher.ENCRYPT_MODE, derived, nonce, header, section, binding);
            cipher.doFinal(ByteBuffer.wrap(plain), sealed);
            return sealed.array();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("section " + section + " can't be sealed", e);
        } finally {
            Arrays.fill(derived, (byte) 0);
        }
    }

    /**
     * Opens what was sealed with one of the keys.
     *
     * @param section what the bytes are said to be
     * @param sealed the sealed bytes; not changed
     * @param binding what they are said to belong to
     * @return what was sealed; the caller overwrites it when it has been used
     * @throws EscrowException if this process can't open it: with {@link Status#EACCES} for want of the key, with {@link
     *     Status#EINVAL} if it was never sealed like this
     */
    public byte[] open(String section, byte[] sealed, byte[] binding) throws EscrowException {
        if (sealed.length < OVERHEAD || sealed[0] != FORMAT) {
            throw new EscrowException(
                    Status.EINVAL,
                    "its section " + section + " is not sealed as this version seals: " + sealed.length + " bytes"
                            + (sealed.length == 0 ? "" : ", format " + sealed[0])
                            + " (expected: at least " + OVERHEAD + ", format " + FORMAT + ")");
        }
        byte[] header = Arrays.copyOf(sealed, HEADER_LENGTH);
        SealKey key = find(section, Arrays.copyOfRange(sealed, 1, 1 + SealKey.ID_LENGTH));
        byte[] derived = key.derive(Arrays.copyOfRange(sealed, 1 + SealKey.ID_LENGTH, HEADER_LENGTH - NONCE_LENGTH));
        byte[] nonce = Arrays.copyOfRange(sealed, HEADER_LENGTH - NONCE_LENGTH, HEADER_LENGTH);
        try {
            return cipher(Cipher.DECRYPT_MODE, derived, nonce, header, section, binding)
                    .doFinal(sealed, HEADER_LENGTH, sealed.length - HEADER_LENGTH);
        } catch (AEADBadTagException e) {
            throw new EscrowException(
                    Status.EINVAL,
                    "its section " + section + " does not open with the seal key " + key.id()
                            + ": it was changed, or belongs to something else",
                    e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("section " + section + " can't be opened", e);
        } finally {
            Arrays.fill(derived, (byte) 0);
        }
    }

    private SealKey find(String section, byte[] id) throws EscrowException {
        List<SealKey> now = keys;
        for (SealKey key : now) {
            if (key.hasId(id)) {
                return key;
            }
        }
        String own = now.stream().map(SealKey::id).collect(Collectors.joining(", "));
        throw new EscrowException(
                Status.EACCES,
                "its section " + section + " is sealed with the key "
                        + HexFormat.of().formatHex(id)
                        + (now.isEmpty()
                                ? ", and this process has no seal key: a process that has it can adopt it"
                                : " (expected: " + own
                                        + "): a process that has that key can adopt it; when keys change,"
                                        + " keep the one before behind the current one"));
    }

    private static Cipher cipher(int mode, byte[] key, byte[] nonce, byte[] header, String section, byte[] binding)
            throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance(CIPHER);
        cipher.init(mode, new SecretKeySpec(key, "AES"), new GCMParameterSpec(8 * TAG_LENGTH, nonce));
        cipher.updateAAD(header);
        byte[] name = section.getBytes(UTF_8);
        cipher.updateAAD(
                ByteBuffer.allocate(Short.BYTES).putShort((short) name.length).flip());
        cipher.updateAAD(name);
        cipher.updateAAD(binding);
        return cipher;
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    @Override
    public String toString() {
        return "Sealer" + keys;
    }
}
