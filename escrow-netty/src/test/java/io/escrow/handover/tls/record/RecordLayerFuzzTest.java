package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.ByteBuffer;
import java.util.Arrays;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/** Feeds moved engines what clients may send, and reads states that somebody else has written. */
class RecordLayerFuzzTest {

    @FuzzTest
    void states(byte[] input) {
        TlsState state;
        try {
            state = TlsState.decode(input);
        } catch (IllegalArgumentException e) {
            assertFalse(e.getMessage().isEmpty());
            return;
        }
        assertArrayEquals(input, state.encode());
        MovedEngine engine = new MovedEngine(state);
        assertArrayEquals(input, engine.take().encode());
        engine.getSession().getId();
        engine.getApplicationProtocol();
    }

    /** The stream itself, of which nothing authenticates. */
    @FuzzTest
    void streams(byte[] input) {
        ClientSide client = client(input);
        ByteBuffer source = ByteBuffer.wrap(input);
        try {
            while (receive(client.engine, source).bytesConsumed() > 0) {}
        } catch (SSLException e) {
            assertEnded(client.engine);
        }
    }

    /**
     * Records that a client with the keys has made: the first byte says the version, then each has a byte for its type, one for
     * its length, and its content.
     */
    @FuzzTest
    void records(byte[] input) {
        ClientSide client = client(input);
        int at = 1;
        try {
            while (at + 2 <= input.length && !client.engine.isInboundDone()) {
                int end = Math.min(input.length, at + 2 + (input[at + 1] & 0xff));
                byte[] content = Arrays.copyOfRange(input, at + 2, end);
                ByteBuffer source = ByteBuffer.wrap(client.seal(input[at] & 0xff, content));
                receive(client.engine, source);
                if (isKeyUpdate(client.engine, input[at], content)) {
                    client.updateWrites();
                }
                send(client);
                move(client);
                at = end;
            }
        } catch (SSLException e) {
            assertEnded(client.engine);
        }
    }

    private static ClientSide client(byte[] input) {
        return input.length > 0 && (input[0] & 1) == 0 ? ClientSide.tls12() : ClientSide.tls13();
    }

    /** Only whole messages, each in a record, are followed; in pieces, the next record ends the connection. */
    private static boolean isKeyUpdate(MovedEngine engine, int type, byte[] content) {
        return engine.getSession().getProtocol().equals(CipherSuite.TLS_1_3)
                && type == ContentType.HANDSHAKE
                && content.length == 5;
    }

    private static SSLEngineResult receive(MovedEngine engine, ByteBuffer source) throws SSLException {
        ByteBuffer target = ByteBuffer.allocate(RecordFormat.MAX_RECORD);
        int before = source.remaining();
        SSLEngineResult result = engine.unwrap(source, target);
        assertEquals(before - source.remaining(), result.bytesConsumed());
        assertEquals(target.position(), result.bytesProduced());
        assertTrue(result.bytesConsumed() > 0 || result.getStatus() != Status.OK);
        return result;
    }

    private static void send(ClientSide client) throws SSLException {
        for (byte[] sent = client.wrap(); sent.length > 0; sent = client.wrap()) {
            if (client.open(sent).type() == ContentType.HANDSHAKE) {
                client.updateReads();
            }
        }
    }

    private static void move(ClientSide client) {
        if (client.engine.isAtRest()) {
            client.engine = new MovedEngine(TlsState.decode(client.engine.take().encode()));
        }
    }

    private static void assertEnded(MovedEngine engine) {
        assertTrue(engine.isInboundDone());
        assertFalse(engine.isAtRest());
    }
}
