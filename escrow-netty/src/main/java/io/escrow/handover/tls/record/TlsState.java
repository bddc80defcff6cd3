package io.escrow.handover.tls.record;

import static java.util.Objects.requireNonNull;

import java.util.Arrays;

/**
 * What moves of a TLS connection of a server: secrets, numbers and what its session tells. Whoever has it can read and
 * forge the connection, so it is stored sealed only. It may be restored once: a number that seals two records gives the
 * key away.
 *
 * @param suite version and cipher suite
 * @param reads what the client writes
 * @param writes what this side writes
 * @param halfClose whether this side may go on to write after the close_notify of the client, as TLS 1.3 allows;
 *     otherwise it answers with its own at once
 * @param owesKeyUpdate whether the client has asked for a KeyUpdate that this side has not written: in TLS 1.3 it writes one before
 *     any data
 * @param message the beginning of a handshake message of the client that is not complete; kept, not changed
 * @param session what handlers may ask for
 */
@SuppressWarnings("ArrayRecordComponent") // states are not compared
public record TlsState(
        CipherSuite suite,
        Direction reads,
        Direction writes,
        boolean halfClose,
        boolean owesKeyUpdate,
        byte[] message,
        SessionInfo session) {

    /** The longest beginning of a message that is kept, in bytes. */
    public static final int MAX_MESSAGE = 1 << 16;

    /** The longest certificate, in bytes. */
    public static final int MAX_CERTIFICATE = (1 << 16) - 1;

    /** The longest chain of certificates. */
    public static final int MAX_CERTIFICATES = 100;

    /**
     * Checks that the state can be encoded.
     *
     * @throws IllegalArgumentException if a secret has the wrong length, a number is negative, or something is too long
     */
    public TlsState {
        requireNonNull(suite, "suite");
        check("secret of reads", reads.secret.length, suite.secretLength(), suite.secretLength());
        check("secret of writes", writes.secret.length, suite.secretLength(), suite.secretLength());
        if (owesKeyUpdate && !suite.isTls13()) {
            throw new IllegalArgumentException("a KeyUpdate is owed, which " + suite.protocol() + " does not have");
        }
        check("message", message.length, 0, MAX_MESSAGE);
        check("session id", session.id().length, 0, 255);
        check("certificates", session.peerCertificates().size(), 0, MAX_CERTIFICATES);
        for (byte[] certificate : session.peerCertificates()) {
            check("certificate", certificate.length, 1, MAX_CERTIFICATE);
        }
    }

    /** Makes a state that owes no KeyUpdate. */
    public TlsState(
            CipherSuite suite,
            Direction reads,
            Direction writes,
            boolean halfClose,
            byte[] message,
            SessionInfo session) {
        this(suite, reads, writes, halfClose, false, message, session);
    }

    /**
     * One direction of a connection.
     *
     * @param secret in TLS 1.3 the traffic secret of the present key; in 1.2 the key, then the part of the nonce that comes
     *     with it; kept, not changed
     * @param sequence the number of the next record, not negative
     * @param closed whether close_notify has passed
     */
    @SuppressWarnings("ArrayRecordComponent") // directions are not compared
    public record Direction(byte[] secret, long sequence, boolean closed) {

        /** Checks the number. */
        public Direction {
            requireNonNull(secret, "secret");
            if (sequence < 0) {
                throw new IllegalArgumentException("sequence: " + sequence + " (expected: >= 0)");
            }
        }

        @Override
        public String toString() {
            return "sequence=" + sequence + (closed ? " closed" : "");
        }
    }

    private static void check(String what, int value, int min, int max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(what + ": " + value + " (expected: " + min + ".." + max + ")");
        }
    }

    /**
     * Encodes the state as RECORDS.md says, "The state of a TLS connection".
     *
     * @return the bytes; the caller overwrites them when they are sealed
     * @throws IllegalArgumentException if a text is longer than 65,535 bytes
     */
    public byte[] encode() {
        return TlsStateCodec.encode(this);
    }

    /** Returns this state between two records: with other numbers, nothing half done, and the same secrets. */
    public TlsState at(long readsNext, long writesNext) {
        return new TlsState(
                suite,
                new Direction(reads.secret, readsNext, false),
                new Direction(writes.secret, writesNext, false),
                halfClose,
                new byte[0],
                session);
    }

    /**
     * Decodes a state.
     *
     * @param bytes what {@link #encode} has made
     * @return the state
     * @throws IllegalArgumentException if that is not what they are
     */
    public static TlsState decode(byte[] bytes) {
        return TlsStateCodec.decode(bytes);
    }

    /** Overwrites the secrets. Whatever shares the arrays loses them, too. */
    public void destroy() {
        Arrays.fill(reads.secret, (byte) 0);
        Arrays.fill(writes.secret, (byte) 0);
    }

    /** Describes the state without its secrets. */
    @Override
    public String toString() {
        return suite + " reads[" + reads + "] writes[" + writes + "] message=" + message.length + " " + session;
    }
}
