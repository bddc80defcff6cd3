package io.escrow.handover.tls.ticket;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Keeps the secrets of which the keys of session tickets are derived: the current one, and those before, of which tickets are still
 * accepted. Immutable until they are destroyed. See "Session tickets" in RECORDS.md.
 */
public final class TicketKeys {

    /** A secret, and when it was made, in milliseconds since 1970. */
    @SuppressWarnings("ArrayRecordComponent") // one that is kept is the same object
    private record Secret(long madeMillis, byte[] key) {}

    /** So many are kept at most, however often they change. */
    static final int MAX = 16;

    /** The length of what {@link #derive} returns for each secret. */
    public static final int DERIVED_LENGTH = 48;

    private static final byte FORMAT = 1;
    private static final int LENGTH = 32;
    private static final int HEADER_LENGTH = 2;
    private static final String MAC = "HmacSHA512";
    private static final SecureRandom random = new SecureRandom();

    private final List<Secret> secrets;

    private TicketKeys(List<Secret> secrets) {
        this.secrets = List.copyOf(secrets.subList(0, Math.min(MAX, secrets.size())));
    }

    /** Makes a first secret. */
    public static TicketKeys fresh(long nowMillis) {
        return new TicketKeys(List.of(secret(nowMillis)));
    }

    private static Secret secret(long nowMillis) {
        byte[] bytes = new byte[LENGTH];
        random.nextBytes(bytes);
        return new Secret(nowMillis, bytes);
    }

    /** Returns when the current secret was made, in milliseconds since 1970. */
    public long madeMillis() {
        return secrets.get(0).madeMillis();
    }

    /** Returns how many secrets there are, the current one included. */
    public int size() {
        return secrets.size();
    }

    /**
     * Returns the secrets as they are to be at a time: with a new one if the current one is too old, and without those that are
     * not accepted any more. Whoever stored them may have had another clock, or none.
     *
     * @param current how long tickets are issued with a secret
     * @param before how long they are accepted after that
     */
    public TicketKeys at(long nowMillis, Duration current, Duration before) {
        List<Secret> kept = new ArrayList<>();
        // The clock may have been set back: a secret of the future is not current for longer than one of now.
        long age = age(madeMillis(), nowMillis);
        if (age >= current.toMillis() || age < -current.toMillis()) {
            kept.add(secret(nowMillis));
        }
        long life = current.plus(before).toMillis();
        for (Secret secret : secrets) {
            age = age(secret.madeMillis(), nowMillis);
            if (age < life && age >= -life) {
                kept.add(secret);
            }
        }
        return kept.equals(secrets) ? this : new TicketKeys(kept);
    }

    /** Returns a difference of two times; the most that there is where it is more. */
    private static long age(long madeMillis, long nowMillis) {
        long age = nowMillis - madeMillis;
        boolean overflown = ((nowMillis ^ madeMillis) & (nowMillis ^ age)) < 0;
        if (overflown) {
            return nowMillis < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
        }
        return age;
    }

    /**
     * Derives the keys of one context.
     *
     * @param label names the context; different contexts have different keys, so that none resumes a session of another
     * @return for each secret, the current one first, {@value #DERIVED_LENGTH} bytes: name, key of the HMAC, key of AES, 16 bytes
     *     each; the caller overwrites them
     */
    List<byte[]> derive(String label) {
        List<byte[]> derived = new ArrayList<>();
        for (Secret secret : secrets) {
            byte[] all = hmac(secret.key(), label);
            derived.add(Arrays.copyOf(all, DERIVED_LENGTH));
            Arrays.fill(all, (byte) 0);
        }
        return derived;
    }

    private static byte[] hmac(byte[] key, String label) {
        try {
            Mac mac = Mac.getInstance(MAC);
            mac.init(new SecretKeySpec(key, MAC));
            return mac.doFinal(("escrow ticket key\0" + label).getBytes(UTF_8));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no " + MAC, e);
        }
    }

    /** Encodes all secrets; the caller overwrites the bytes when they are stored. */
    public byte[] encode() {
        ByteBuffer out = ByteBuffer.allocate(HEADER_LENGTH + secrets.size() * (Long.BYTES + LENGTH));
        out.put(FORMAT).put((byte) secrets.size());
        for (Secret secret : secrets) {
            out.putLong(secret.madeMillis()).put(secret.key());
        }
        return out.array();
    }

    /**
     * Reads what was encoded.
     *
     * @param encoded all bytes; not changed
     * @throws IllegalArgumentException if these are no secrets
     */
    public static TicketKeys decode(byte[] encoded) {
        int count = encoded.length < HEADER_LENGTH ? 0 : encoded[1];
        if (count < 1
                || count > MAX
                || encoded[0] != FORMAT
                || encoded.length != HEADER_LENGTH + count * (Long.BYTES + LENGTH)) {
            throw new IllegalArgumentException("session tickets: " + encoded.length + " bytes that are not of format "
                    + FORMAT + " with 1 to " + MAX + " secrets");
        }
        ByteBuffer in = ByteBuffer.wrap(encoded, HEADER_LENGTH, encoded.length - HEADER_LENGTH);
        List<Secret> secrets = new ArrayList<>();
        while (in.hasRemaining()) {
            long made = in.getLong();
            byte[] bytes = new byte[LENGTH];
            in.get(bytes);
            secrets.add(new Secret(made, bytes));
        }
        return new TicketKeys(secrets);
    }

    /** Overwrites all secrets, also those of which others were made by {@link #at}. */
    public void destroy() {
        secrets.forEach(secret -> Arrays.fill(secret.key(), (byte) 0));
    }

    @Override
    public String toString() {
        return "TicketKeys{" + secrets.size() + "}";
    }
}
