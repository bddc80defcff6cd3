package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.Random;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;

/** A client that makes its records one by one, also those that no client should make, and the engine that it talks to. */
final class ClientSide {

    static final String TLS_1_3_AES_128 = "TLS_AES_128_GCM_SHA256";
    static final String TLS_1_2_AES_128 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";

    private final CipherSuite suite;
    private final RecordCipher writes;
    private final RecordCipher reads;
    private final TlsState state;

    MovedEngine engine;

    private ClientSide(TlsState state) {
        this.state = state;
        suite = state.suite();
        writes = new RecordCipher(suite, state.reads().secret(), state.reads().sequence());
        reads = new RecordCipher(suite, state.writes().secret(), state.writes().sequence());
        engine = new MovedEngine(state);
    }

    /** Returns one of TLS 1.3. */
    static ClientSide tls13() {
        return of(state(CipherSuite.TLS_1_3, TLS_1_3_AES_128, 0, false));
    }

    /** Returns one of TLS 1.2. */
    static ClientSide tls12() {
        return of(state(CipherSuite.TLS_1_2, TLS_1_2_AES_128, 1, false));
    }

    static ClientSide of(TlsState state) {
        return new ClientSide(state);
    }

    /** Returns the state of a connection with made up secrets. */
    static TlsState state(String protocol, String suiteName, long sequence, boolean halfClose) {
        CipherSuite suite = CipherSuite.of(protocol, suiteName).orElseThrow();
        Random random = new Random(14);
        return new TlsState(
                suite,
                new TlsState.Direction(bytes(random, suite.secretLength()), sequence, false),
                new TlsState.Direction(bytes(random, suite.secretLength()), sequence, false),
                halfClose,
                new byte[0],
                new SessionInfo("http/1.1", "localhost", bytes(random, 32), 1_700_000_000_000L, List.of()));
    }

    static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    TlsState state() {
        return state;
    }

    byte[] seal(int type, int... content) {
        byte[] bytes = new byte[content.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) content[i];
        }
        return seal(type, bytes);
    }

    byte[] seal(int type, byte[] content) {
        ByteBuffer record = ByteBuffer.allocate(content.length + suite.overhead());
        try {
            writes.seal(type, new ByteBuffer[] {ByteBuffer.wrap(content)}, 0, content.length, record);
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
        return record.array();
    }

    /** Takes the next key for what the client writes. */
    void updateWrites() {
        writes.update();
    }

    /** Takes the next key for what the client reads. */
    void updateReads() {
        reads.update();
    }

    /** Feeds the engine, and returns what it makes of that. */
    byte[] receive(byte[]... records) throws SSLException {
        ByteBuffer plain = ByteBuffer.allocate(1 << 17);
        for (byte[] record : records) {
            ByteBuffer source = ByteBuffer.wrap(record);
            SSLEngineResult result = engine.unwrap(source, plain);
            if (result.bytesConsumed() != record.length) {
                throw new AssertionError("consumed: " + result + " of " + record.length);
            }
        }
        return flip(plain);
    }

    /** Returns what the engine sends next for these bytes, or by itself. */
    byte[] wrap(byte... content) throws SSLException {
        ByteBuffer record = ByteBuffer.allocate(RecordFormat.MAX_RECORD);
        engine.wrap(ByteBuffer.wrap(content), record);
        return flip(record);
    }

    /** Opens what the engine has sent. */
    Trial.Content open(byte[] record) {
        ByteBuffer content = ByteBuffer.allocate(record.length);
        try {
            int type = reads.open(ByteBuffer.wrap(record), content);
            return new Trial.Content(type, flip(content));
        } catch (GeneralSecurityException e) {
            throw new AssertionError("the client can't open a record", e);
        }
    }

    private static byte[] flip(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.flip().remaining()];
        buffer.get(bytes);
        return bytes;
    }
}
