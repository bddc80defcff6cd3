package io.escrow.handover.tls.record;

import static io.escrow.handover.tls.record.ContentType.ALERT;
import static io.escrow.handover.tls.record.ContentType.APPLICATION_DATA;
import static io.escrow.handover.tls.record.ContentType.CHANGE_CIPHER_SPEC;
import static io.escrow.handover.tls.record.ContentType.HANDSHAKE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.IntStream;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client may send behind the handshake, and what it is told if it sends something else. */
class TlsConnectionTest {

    private static final int[] KEY_UPDATE = {24, 0, 0, 1, 0};
    private static final int[] KEY_UPDATE_REQUEST = {24, 0, 0, 1, 1};

    private ClientSide client = ClientSide.tls13();

    @Test
    void keysOfTheClientChange() throws Exception {
        assertArrayEquals(new byte[] {1}, client.receive(client.seal(APPLICATION_DATA, 1)));
        client.receive(client.seal(HANDSHAKE, KEY_UPDATE));
        client.updateWrites();
        assertArrayEquals(new byte[] {2}, client.receive(client.seal(APPLICATION_DATA, 2)));
        assertEquals(HandshakeStatus.NOT_HANDSHAKING, client.engine.getHandshakeStatus());
        assertTrue(client.engine.isAtRest());
    }

    @Test
    void keysOfBothChange() throws Exception {
        client.receive(client.seal(HANDSHAKE, KEY_UPDATE_REQUEST));
        client.updateWrites();
        assertEquals(HandshakeStatus.NEED_WRAP, client.engine.getHandshakeStatus());
        assertFalse(client.engine.isAtRest());
        assertContent(HANDSHAKE, client.wrap(), 24, 0, 0, 1, 0);
        client.updateReads();
        assertArrayEquals(new byte[] {2}, client.receive(client.seal(APPLICATION_DATA, 2)));
        assertContent(APPLICATION_DATA, client.wrap((byte) 3), 3);
    }

    @Test
    void oneAnswerIsEnoughForManyRequests() throws Exception {
        for (int i = 0; i < 5; i++) {
            client.receive(client.seal(HANDSHAKE, KEY_UPDATE_REQUEST));
            client.updateWrites();
        }
        assertContent(HANDSHAKE, client.wrap(), KEY_UPDATE);
        client.updateReads();
        assertContent(APPLICATION_DATA, client.wrap((byte) 3), 3);
    }

    @Test
    void keyUpdateComesInPieces() throws Exception {
        for (int i = 0; i < 4; i++) {
            client.receive(client.seal(HANDSHAKE, KEY_UPDATE_REQUEST[i]));
            // Also the beginning of a message moves.
            client.engine = new MovedEngine(TlsState.decode(client.engine.take().encode()));
        }
        client.receive(client.seal(HANDSHAKE, KEY_UPDATE_REQUEST[4]));
        client.updateWrites();
        assertContent(HANDSHAKE, client.wrap(), KEY_UPDATE);
        client.updateReads();
        assertArrayEquals(new byte[] {2}, client.receive(client.seal(APPLICATION_DATA, 2)));
    }

    @Test
    void theServerAsksForNewKeys() throws Exception {
        client.engine.beginHandshake();
        assertContent(HANDSHAKE, client.wrap((byte) 1), KEY_UPDATE_REQUEST);
        client.updateReads();
        client.receive(client.seal(HANDSHAKE, KEY_UPDATE));
        client.updateWrites();
        assertContent(APPLICATION_DATA, client.wrap((byte) 1), 1);
        assertArrayEquals(new byte[] {2}, client.receive(client.seal(APPLICATION_DATA, 2)));
    }

    @Test
    void keyUpdateThatWasOwedComesBeforeData() throws Exception {
        TlsState state = client.state();
        client.engine = new MovedEngine(TlsState.decode(new TlsState(
                        state.suite(), state.reads(), state.writes(), false, true, state.message(), state.session())
                .encode()));
        client.engine = new MovedEngine(client.engine.take());
        assertEquals(0, client.wrap().length);
        assertContent(HANDSHAKE, client.wrap((byte) 1), KEY_UPDATE);
        client.updateReads();
        assertContent(APPLICATION_DATA, client.wrap((byte) 1), 1);
    }

    @Test
    void theServerTakesAnotherKeyInTime() throws Exception {
        client = ClientSide.of(ClientSide.state(
                CipherSuite.TLS_1_3, ClientSide.TLS_1_3_AES_128, TlsConnection.RECORDS_PER_KEY - 1, false));
        assertContent(APPLICATION_DATA, client.wrap((byte) 1), 1);
        assertContent(HANDSHAKE, client.wrap((byte) 2), KEY_UPDATE);
        client.updateReads();
        assertContent(APPLICATION_DATA, client.wrap((byte) 2), 2);
        assertEquals(1, client.engine.take().writes().sequence());
    }

    @Test
    void tls12EndsBeforeItsNumbersDo() throws Exception {
        client = ClientSide.of(ClientSide.state(
                CipherSuite.TLS_1_2, ClientSide.TLS_1_2_AES_128, TlsConnection.LAST_RECORD - 1, false));
        assertContent(APPLICATION_DATA, client.wrap((byte) 1), 1);
        assertContent(ALERT, client.wrap((byte) 2), 1, 0);
        assertEquals(0, client.wrap((byte) 2).length);
        assertTrue(client.engine.isOutboundDone());
    }

    @Test
    void noNumberIsUsedBehindTheLast() throws Exception {
        client =
                ClientSide.of(ClientSide.state(CipherSuite.TLS_1_2, ClientSide.TLS_1_2_AES_128, Long.MAX_VALUE, false));
        assertThrows(SSLException.class, () -> client.receive(new byte[64]));
        assertThrows(SSLException.class, client::wrap);
        assertEquals(0, client.wrap().length);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 16, 255, 4000})
    void paddingIsIgnored(int padding) throws Exception {
        // Its last byte, where the type would be, is zero: so the byte before the zeros is the type.
        byte[] inner = new byte[3 + padding];
        inner[0] = 7;
        inner[2] = APPLICATION_DATA;
        assertArrayEquals(new byte[] {7, 0}, client.receive(client.seal(0, inner)));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void emptyRecordsAreIgnored(boolean tls13) throws Exception {
        client = tls13 ? ClientSide.tls13() : ClientSide.tls12();
        assertEquals(0, client.receive(client.seal(APPLICATION_DATA)).length);
        assertArrayEquals(new byte[] {1}, client.receive(client.seal(APPLICATION_DATA, 1)));
    }

    @Test
    void recordsAreAsLongAsTheyMayBe() throws Exception {
        byte[] longest = new byte[RecordFormat.MAX_CONTENT];
        longest[longest.length - 1] = 1;
        assertArrayEquals(longest, client.receive(client.seal(APPLICATION_DATA, longest)));
        assertFails(Alert.RECORD_OVERFLOW, client.seal(APPLICATION_DATA, new byte[RecordFormat.MAX_CONTENT + 1]));
    }

    @Test
    void longestRecordIsPadded() throws Exception {
        byte[] inner = new byte[RecordFormat.MAX_CONTENT + 1 + RecordFormat.MAX_PADDING - 1];
        inner[RecordFormat.MAX_CONTENT] = APPLICATION_DATA;
        assertEquals(RecordFormat.MAX_CONTENT, client.receive(client.seal(0, inner)).length);
        assertFails(Alert.RECORD_OVERFLOW, client.seal(0, Arrays.copyOf(inner, inner.length + 1)));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void tooLongRecordIsRefusedByItsHeader(boolean tls13) throws Exception {
        client = tls13 ? ClientSide.tls13() : ClientSide.tls12();
        assertFails(Alert.RECORD_OVERFLOW, new byte[] {APPLICATION_DATA, 3, 3, 0x41, 1});
    }

    @Test
    void longestRecordOfTls12() throws Exception {
        client = ClientSide.tls12();
        assertEquals(
                RecordFormat.MAX_CONTENT,
                client.receive(client.seal(APPLICATION_DATA, new byte[RecordFormat.MAX_CONTENT])).length);
        assertFails(Alert.RECORD_OVERFLOW, client.seal(APPLICATION_DATA, new byte[RecordFormat.MAX_CONTENT + 1]));
    }

    @ParameterizedTest
    @CsvSource({
        "HANDSHAKE, 010000040000, UNEXPECTED_MESSAGE", // ClientHello
        "HANDSHAKE, 00, UNEXPECTED_MESSAGE",
        "HANDSHAKE, 0b, UNEXPECTED_MESSAGE", // Certificate, which was not asked for
        "HANDSHAKE, 04000000, UNEXPECTED_MESSAGE", // NewSessionTicket
        "HANDSHAKE, '', UNEXPECTED_MESSAGE",
        "HANDSHAKE, 1800000102, ILLEGAL_PARAMETER",
        "HANDSHAKE, 18000000, DECODE_ERROR",
        "HANDSHAKE, 180000020000, DECODE_ERROR",
        "HANDSHAKE, 180000010018, UNEXPECTED_MESSAGE", // behind it, in the same record
        "ALERT, '', DECODE_ERROR",
        "ALERT, 01, DECODE_ERROR",
        "ALERT, 010000, DECODE_ERROR",
        "CHANGE_CIPHER_SPEC, 01, UNEXPECTED_MESSAGE",
        "HEARTBEAT, 01, UNEXPECTED_MESSAGE",
        "NONE, '', UNEXPECTED_MESSAGE",
        "NONE, 000000000000, UNEXPECTED_MESSAGE"
    })
    void refusedInTls13(String type, String content, Alert alert) throws Exception {
        assertFails(alert, client.seal(typeOf(type), HexFormat.of().parseHex(content)));
    }

    @ParameterizedTest
    @CsvSource({
        "HANDSHAKE, 1800000100, UNEXPECTED_MESSAGE",
        "HANDSHAKE, 10, UNEXPECTED_MESSAGE",
        "HANDSHAKE, '', UNEXPECTED_MESSAGE",
        "HANDSHAKE, 01010000, DECODE_ERROR",
        "ALERT, 01, DECODE_ERROR",
        "CHANGE_CIPHER_SPEC, 01, UNEXPECTED_MESSAGE",
        "HEARTBEAT, 01, UNEXPECTED_MESSAGE"
    })
    void refusedInTls12(String type, String content, Alert alert) throws Exception {
        client = ClientSide.tls12();
        assertFails(alert, client.seal(typeOf(type), HexFormat.of().parseHex(content)));
    }

    private static int typeOf(String name) {
        return switch (name) {
            case "HANDSHAKE" -> HANDSHAKE;
            case "ALERT" -> ALERT;
            case "CHANGE_CIPHER_SPEC" -> CHANGE_CIPHER_SPEC;
            case "HEARTBEAT" -> 24;
            default -> 0;
        };
    }

    @Test
    void plainRecordsAreRefused() throws Exception {
        assertFails(Alert.UNEXPECTED_MESSAGE, new byte[] {ALERT, 3, 3, 0, 2, 1, 0});
        client = ClientSide.tls13();
        assertFails(Alert.UNEXPECTED_MESSAGE, new byte[] {CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1});
        client = ClientSide.tls12();
        assertFails(Alert.BAD_RECORD_MAC, new byte[] {ALERT, 3, 3, 0, 2, 1, 0});
        client = ClientSide.tls12();
        assertFails(Alert.PROTOCOL_VERSION, new byte[] {APPLICATION_DATA, 3, 1, 0, 1, 1});
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void eachChangedByteIsNoticed(boolean tls13) throws Exception {
        int length = (tls13 ? ClientSide.tls13() : ClientSide.tls12()).seal(APPLICATION_DATA, 1, 2, 3).length;
        for (int i = RecordFormat.HEADER; i < length; i++) {
            client = tls13 ? ClientSide.tls13() : ClientSide.tls12();
            byte[] record = client.seal(APPLICATION_DATA, 1, 2, 3);
            record[i] ^= 0x10;
            assertFails(Alert.BAD_RECORD_MAC, record);
        }
    }

    @Test
    void recordsMustComeInOrder() throws Exception {
        client.seal(APPLICATION_DATA, 1);
        assertFails(Alert.BAD_RECORD_MAC, client.seal(APPLICATION_DATA, 2));
    }

    @Test
    void nothingMayComeInsideOfAMessage() throws Exception {
        client.receive(client.seal(HANDSHAKE, 24));
        assertFails(Alert.UNEXPECTED_MESSAGE, client.seal(APPLICATION_DATA, 1));
    }

    @ParameterizedTest
    @CsvSource({"HANDSHAKE, 1800000100", "APPLICATION_DATA, ''", "ALERT, 015a"})
    void recordsWithoutDataAreLimited(String type, String content) throws Exception {
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < TlsConnection.MAX_WITHOUT_DATA; i++) {
                client.receive(withoutData(type, content));
            }
            client.receive(client.seal(APPLICATION_DATA, 1)); // counts anew
        }
        for (int i = 0; i < TlsConnection.MAX_WITHOUT_DATA; i++) {
            client.receive(withoutData(type, content));
        }
        assertFails(Alert.UNEXPECTED_MESSAGE, withoutData(type, content));
    }

    private byte[] withoutData(String type, String content) {
        byte[] record = client.seal(
                type.equals("APPLICATION_DATA") ? APPLICATION_DATA : typeOf(type),
                HexFormat.of().parseHex(content));
        if (type.equals("HANDSHAKE")) {
            client.updateWrites();
        }
        return record;
    }

    @Test
    void renegotiationIsRefused() throws Exception {
        client = ClientSide.tls12();
        byte[] hello = new byte[4 + 500];
        hello[0] = 1;
        hello[2] = (byte) (500 >> 8);
        hello[3] = (byte) 500;
        client.receive(client.seal(HANDSHAKE, Arrays.copyOf(hello, 300)));
        assertEquals(HandshakeStatus.NOT_HANDSHAKING, client.engine.getHandshakeStatus());
        client.engine = new MovedEngine(client.engine.take());
        client.receive(client.seal(HANDSHAKE, Arrays.copyOfRange(hello, 300, hello.length)));
        assertContent(ALERT, client.wrap(), 1, 100);
        client.receive(client.seal(HANDSHAKE, 0, 0, 0, 0));
        assertContent(ALERT, client.wrap(), 1, 100);
        assertArrayEquals(new byte[] {1}, client.receive(client.seal(APPLICATION_DATA, 1)));
        assertContent(APPLICATION_DATA, client.wrap((byte) 2), 2);
        assertThrows(SSLException.class, client.engine::beginHandshake);
    }

    @Test
    void warningsOfTls12AreIgnored() throws Exception {
        client = ClientSide.tls12();
        client.receive(client.seal(ALERT, 1, 100));
        assertArrayEquals(new byte[] {1}, client.receive(client.seal(APPLICATION_DATA, 1)));
    }

    @ParameterizedTest
    @CsvSource({"true, 2, 40", "true, 1, 40", "false, 2, 40", "false, 2, 20"})
    void fatalAlertOfTheClientEndsTheConnection(boolean tls13, int level, int code) throws Exception {
        client = tls13 ? ClientSide.tls13() : ClientSide.tls12();
        SSLException thrown = assertThrows(SSLException.class, () -> client.receive(client.seal(ALERT, level, code)));
        assertTrue(thrown.getMessage().contains(Integer.toString(code)), thrown.getMessage());
        assertEquals(0, client.wrap((byte) 1).length);
        assertTrue(client.engine.isInboundDone());
        assertTrue(client.engine.isOutboundDone());
        assertFalse(client.engine.isAtRest());
        assertThrows(IllegalStateException.class, client.engine::take);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void closeOfTheClientIsAnswered(boolean tls13) throws Exception {
        client = tls13 ? ClientSide.tls13() : ClientSide.tls12();
        client.receive(client.seal(ALERT, 1, 0));
        assertTrue(client.engine.isInboundDone());
        assertFalse(client.engine.isOutboundDone());
        assertContent(ALERT, client.wrap((byte) 1), 1, 0);
        assertTrue(client.engine.isOutboundDone());
        client.engine.closeInbound();
    }

    @Test
    void clientClosesItsHalf() throws Exception {
        client = ClientSide.of(ClientSide.state(CipherSuite.TLS_1_3, ClientSide.TLS_1_3_AES_128, 0, true));
        client.receive(client.seal(ALERT, 1, 0));
        assertTrue(client.engine.isInboundDone());
        TlsState state = TlsState.decode(client.engine.take().encode());
        assertTrue(state.reads().closed());
        assertTrue(state.halfClose());
        client.engine = new MovedEngine(state);
        assertTrue(client.engine.isInboundDone());
        assertContent(APPLICATION_DATA, client.wrap((byte) 1), 1);
        client.engine.closeOutbound();
        client.engine.closeOutbound();
        assertContent(ALERT, client.wrap((byte) 1), 1, 0);
        assertEquals(0, client.wrap((byte) 1).length);
    }

    @Test
    void serverClosesItsHalf() throws Exception {
        client.engine.closeOutbound();
        assertContent(ALERT, client.wrap((byte) 1), 1, 0);
        client.engine = new MovedEngine(TlsState.decode(client.engine.take().encode()));
        assertTrue(client.engine.isOutboundDone());
        assertEquals(0, client.wrap((byte) 1).length);
        assertArrayEquals(new byte[] {1}, client.receive(client.seal(APPLICATION_DATA, 1)));
        // Nothing is sent any more: a KeyUpdate has no answer.
        client.receive(client.seal(HANDSHAKE, KEY_UPDATE_REQUEST));
        client.updateWrites();
        assertEquals(0, client.wrap().length);
        client.receive(client.seal(ALERT, 1, 0));
        assertEquals(0, client.wrap().length);
    }

    @Test
    void nothingIsReadBehindTheCloseOfTheClient() throws Exception {
        client.receive(client.seal(ALERT, 1, 0));
        ByteBuffer more = ByteBuffer.wrap(client.seal(APPLICATION_DATA, 1));
        SSLEngineResult result = client.engine.unwrap(more, ByteBuffer.allocate(100));
        assertEquals(Status.CLOSED, result.getStatus());
        assertEquals(0, result.bytesConsumed());
    }

    /** Feeds a record that ends the connection, and opens the alert that says why. */
    private void assertFails(Alert alert, byte[] record) throws SSLException {
        SSLException thrown = assertThrows(SSLException.class, () -> client.receive(record));
        assertFalse(thrown.getMessage().isEmpty());
        assertEquals(HandshakeStatus.NEED_WRAP, client.engine.getHandshakeStatus());
        assertThrows(IllegalStateException.class, client.engine::take);
        assertContent(ALERT, client.wrap((byte) 1), 2, alert.code());
        assertEquals(0, client.wrap((byte) 1).length);
        assertTrue(client.engine.isInboundDone());
        assertTrue(client.engine.isOutboundDone());
        assertThrows(IllegalStateException.class, client.engine::take);
    }

    private void assertContent(int type, byte[] record, int... content) {
        Trial.Content opened = client.open(record);
        assertEquals(type, opened.type());
        List<Integer> bytes = IntStream.range(0, opened.bytes().length)
                .mapToObj(i -> opened.bytes()[i] & 0xff)
                .toList();
        assertEquals(IntStream.of(content).boxed().toList(), bytes);
    }
}
