package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What tells whether a number was used twice must be able to tell. */
class NonceRecordTest {

    private static ClientSide client(boolean tls13) {
        return tls13 ? ClientSide.tls13() : ClientSide.tls12();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void secondUseOfANumberIsFound(boolean tls13) throws Exception {
        ClientSide client = client(tls13);
        NonceRecord nonces = new NonceRecord(client.state());
        TlsState before = TlsState.decode(client.state().encode());
        assertEquals(1, nonces.note(client.wrap((byte) 1)));
        assertEquals(2, nonces.note(client.wrap((byte) 2)));
        // Another process that goes on with what was stored before.
        client.engine = new MovedEngine(before);
        byte[] again = client.wrap((byte) 3);
        AssertionError found = assertThrows(AssertionError.class, () -> nonces.note(again));
        assertTrue(found.getMessage().contains("key 0 has sealed two records"), found.getMessage());
    }

    @Test
    void secondUseOfAKeyThatWasReplacedIsFound() throws Exception {
        ClientSide client = ClientSide.tls13();
        NonceRecord nonces = new NonceRecord(client.state());
        byte[] old = client.wrap((byte) 1);
        nonces.note(old);
        client.engine.beginHandshake();
        nonces.note(client.wrap());
        nonces.note(client.wrap((byte) 2));
        AssertionError found = assertThrows(AssertionError.class, () -> nonces.note(old));
        assertTrue(found.getMessage().contains("key 0 has sealed two records"), found.getMessage());
    }

    @Test
    void recordThatIsLeftOutIsFound() throws Exception {
        ClientSide client = ClientSide.tls12();
        NonceRecord nonces = new NonceRecord(client.state());
        client.wrap((byte) 1);
        byte[] second = client.wrap((byte) 2);
        assertThrows(AssertionError.class, () -> nonces.note(second));
    }

    @Test
    void recordMayComeInPieces() throws Exception {
        ClientSide client = ClientSide.tls13();
        NonceRecord nonces = new NonceRecord(client.state());
        byte[] record = client.wrap((byte) 1, (byte) 2);
        for (int i = 0; i < record.length; i++) {
            assertEquals(i == record.length - 1 ? 1 : 0, nonces.note(new byte[] {record[i]}));
        }
    }
}
