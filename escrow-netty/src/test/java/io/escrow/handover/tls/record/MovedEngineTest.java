package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an SSLEngine must do, and how one is moved. */
class MovedEngineTest {

    private final ClientSide client = ClientSide.tls13();
    private final MovedEngine engine = client.engine;

    @Test
    void handshakeFinishesWithoutBytes() throws Exception {
        ByteBuffer net = ByteBuffer.allocate(100);
        assertEquals(HandshakeStatus.NOT_HANDSHAKING, engine.getHandshakeStatus());
        SSLEngineResult first = engine.wrap(ByteBuffer.allocate(0), net);
        assertResult(first, Status.OK, 0, 0);
        assertEquals(HandshakeStatus.FINISHED, first.getHandshakeStatus());
        assertEquals(
                HandshakeStatus.NOT_HANDSHAKING,
                engine.wrap(ByteBuffer.allocate(0), net).getHandshakeStatus());
    }

    @Test
    void handshakeFinishesBehindWhatIsToBeSent() throws Exception {
        SSLEngineResult received = engine.unwrap(
                ByteBuffer.wrap(client.seal(ContentType.HANDSHAKE, 24, 0, 0, 1, 1)), ByteBuffer.allocate(100));
        assertEquals(HandshakeStatus.NEED_WRAP, received.getHandshakeStatus());
        SSLEngineResult sent = engine.wrap(ByteBuffer.allocate(0), ByteBuffer.allocate(100));
        assertEquals(HandshakeStatus.FINISHED, sent.getHandshakeStatus());
    }

    @Test
    void severalSourcesMakeOneRecord() throws Exception {
        ByteBuffer[] sources = {
            ByteBuffer.wrap(new byte[] {9}),
            ByteBuffer.wrap(new byte[] {1, 2}),
            ByteBuffer.allocate(0),
            ByteBuffer.allocateDirect(1).put(0, (byte) 3).asReadOnlyBuffer(),
            ByteBuffer.wrap(new byte[] {4, 5, 6}, 1, 1),
            ByteBuffer.wrap(new byte[] {9})
        };
        ByteBuffer net = ByteBuffer.allocate(100);
        assertResult(
                engine.wrap(sources, 1, 4, net),
                Status.OK,
                4,
                4 + client.state().suite().overhead());
        assertEquals(2, sources[4].position());
        assertEquals(2, sources[4].limit());
        assertEquals(1, sources[5].remaining());
        byte[] record = new byte[net.position()];
        net.flip().get(record);
        assertArrayEquals(new byte[] {1, 2, 3, 5}, client.open(record).bytes());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void recordsAreCut(boolean tls13) throws Exception {
        ClientSide each = tls13 ? ClientSide.tls13() : ClientSide.tls12();
        byte[] data = ClientSide.bytes(new Random(1), 40_000);
        ByteBuffer[] sources = {
            ByteBuffer.wrap(data, 0, 10_000),
            ByteBuffer.wrap(data, 10_000, 20_000),
            ByteBuffer.wrap(data, 30_000, 10_000)
        };
        int at = 0;
        for (int expected : new int[] {16_384, 16_384, 7_232}) {
            ByteBuffer net = ByteBuffer.allocate(RecordFormat.MAX_RECORD);
            assertEquals(expected, each.engine.wrap(sources, net).bytesConsumed());
            byte[] record = new byte[net.flip().remaining()];
            net.get(record);
            assertArrayEquals(
                    Arrays.copyOfRange(data, at, at + expected),
                    each.open(record).bytes());
            at += expected;
        }
        assertResult(each.engine.wrap(sources, ByteBuffer.allocate(100)), Status.OK, 0, 0);
    }

    @Test
    void tooLittleRoomToSend() throws Exception {
        int overhead = client.state().suite().overhead();
        ByteBuffer source = ByteBuffer.wrap(new byte[10]);
        ByteBuffer net = ByteBuffer.allocate(9 + overhead);
        assertResult(engine.wrap(source, net), Status.BUFFER_OVERFLOW, 0, 0);
        assertEquals(10, source.remaining());
        assertEquals(0, net.position());
        assertEquals(0, engine.take().writes().sequence());
        engine.resume();
        engine.closeOutbound();
        assertResult(engine.wrap(source, ByteBuffer.allocate(1 + overhead)), Status.BUFFER_OVERFLOW, 0, 0);
        assertResult(engine.wrap(source, ByteBuffer.allocate(2 + overhead)), Status.CLOSED, 0, 2 + overhead);
    }

    @Test
    void recordsComeInPieces() throws Exception {
        byte[] record = client.seal(ContentType.APPLICATION_DATA, 1, 2, 3);
        for (int length = 0; length < record.length; length++) {
            ByteBuffer part = ByteBuffer.wrap(record, 0, length);
            assertResult(engine.unwrap(part, ByteBuffer.allocate(100)), Status.BUFFER_UNDERFLOW, 0, 0);
            assertEquals(0, part.position());
        }
        ByteBuffer more = ByteBuffer.allocate(record.length + 3).put(record).rewind();
        assertResult(engine.unwrap(more, ByteBuffer.allocate(100)), Status.OK, record.length, 3);
        assertEquals(3, more.remaining());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void tooLittleRoomToReceive(boolean tls13) throws Exception {
        ClientSide each = tls13 ? ClientSide.tls13() : ClientSide.tls12();
        byte[] record = each.seal(ContentType.APPLICATION_DATA, 1, 2, 3);
        ByteBuffer source = ByteBuffer.wrap(record);
        ByteBuffer[] targets = {ByteBuffer.allocate(1), ByteBuffer.allocateDirect(1)};
        assertResult(each.engine.unwrap(source, targets), Status.BUFFER_OVERFLOW, 0, 0);
        assertEquals(0, source.position());
        targets = new ByteBuffer[] {ByteBuffer.allocate(9), ByteBuffer.allocateDirect(1), ByteBuffer.allocate(2)};
        assertResult(each.engine.unwrap(source, targets, 1, 2), Status.OK, record.length, 3);
        assertEquals(0, targets[0].position());
        assertEquals(1, targets[1].get(0));
        assertArrayEquals(new byte[] {2, 3}, targets[2].array());
        // Just as much room as there is content.
        ByteBuffer exact = ByteBuffer.allocate(2);
        each.engine.unwrap(ByteBuffer.wrap(each.seal(ContentType.APPLICATION_DATA, 7, 8)), exact);
        assertArrayEquals(new byte[] {7, 8}, exact.array());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void buffersAreOfAnyKind(boolean direct) throws Exception {
        byte[] record = client.seal(ContentType.APPLICATION_DATA, 1, 2, 3);
        ByteBuffer source = allocate(direct, 200);
        source.position(7);
        source.put(record).flip().position(7);
        ByteBuffer target = allocate(direct, 100).position(5);
        engine.unwrap(source.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN), target);
        assertEquals(8, target.position());
        assertEquals(3, target.get(7));

        ByteBuffer net = allocate(direct, 100).position(3);
        engine.wrap(target.flip().position(5), net.order(ByteOrder.LITTLE_ENDIAN));
        byte[] sent = new byte[net.position() - 3];
        net.flip().position(3).get(sent);
        assertArrayEquals(new byte[] {1, 2, 3}, client.open(sent).bytes());
        assertThrows(ReadOnlyBufferException.class, () -> engine.wrap(source, net.asReadOnlyBuffer()));
        assertThrows(ReadOnlyBufferException.class, () -> engine.unwrap(source, net.asReadOnlyBuffer()));
    }

    private static ByteBuffer allocate(boolean direct, int size) {
        return direct
                ? ByteBuffer.allocateDirect(size)
                : ByteBuffer.allocate(size).slice();
    }

    @Test
    void takenEngineIsSilent() throws Exception {
        TlsState state = engine.take();
        assertFalse(engine.isAtRest());
        assertThrows(IllegalStateException.class, engine::take);
        engine.closeOutbound();
        assertResult(engine.wrap(ByteBuffer.wrap(new byte[3]), ByteBuffer.allocate(100)), Status.CLOSED, 0, 0);
        byte[] record = client.seal(ContentType.APPLICATION_DATA, 1);
        ByteBuffer source = ByteBuffer.wrap(record);
        assertThrows(SSLException.class, () -> engine.unwrap(source, ByteBuffer.allocate(100)));
        assertEquals(0, source.position());

        engine.resume();
        assertThrows(IllegalStateException.class, engine::resume);
        assertResult(engine.unwrap(source, ByteBuffer.allocate(100)), Status.OK, record.length, 1);
        // What was closed meanwhile is closed now, with the number that the state has.
        assertEquals(0, state.writes().sequence());
        assertArrayEquals(new byte[] {1, 0}, client.open(client.wrap()).bytes());
    }

    @Test
    void destroyedEngineIsSilent() throws Exception {
        TlsState state = engine.take();
        engine.destroy();
        assertThrows(IllegalStateException.class, engine::resume);
        assertThrows(IllegalStateException.class, engine::take);
        engine.closeOutbound();
        assertResult(engine.wrap(ByteBuffer.wrap(new byte[3]), ByteBuffer.allocate(100)), Status.CLOSED, 0, 0);
        byte[] record = client.seal(ContentType.APPLICATION_DATA, 1);
        assertResult(engine.unwrap(ByteBuffer.wrap(record), ByteBuffer.allocate(100)), Status.CLOSED, 0, 0);
        // The other one has secrets of its own.
        client.engine = new MovedEngine(state);
        state.destroy();
        assertArrayEquals(new byte[] {1}, client.receive(record));
        assertArrayEquals(new byte[] {2}, client.open(client.wrap((byte) 2)).bytes());
    }

    @Test
    void inboundEndsWithoutCloseNotify() throws Exception {
        assertThrows(SSLException.class, engine::closeInbound);
        assertTrue(engine.isInboundDone());
        engine.closeInbound();
        assertResult(engine.unwrap(ByteBuffer.wrap(new byte[100]), ByteBuffer.allocate(100)), Status.CLOSED, 0, 0);
        assertArrayEquals(new byte[] {2}, client.open(client.wrap((byte) 2)).bytes());
    }

    @Test
    void sessionTellsWhatItTold() throws Exception {
        ExtendedSSLSession session = (ExtendedSSLSession) engine.getSession();
        assertEquals("TLSv1.3", session.getProtocol());
        assertEquals(ClientSide.TLS_1_3_AES_128, session.getCipherSuite());
        assertArrayEquals(client.state().session().id(), session.getId());
        assertEquals(1_700_000_000_000L, session.getCreationTime());
        assertEquals(List.of(new SNIHostName("localhost")), session.getRequestedServerNames());
        assertEquals("http/1.1", engine.getApplicationProtocol());
        assertThrows(SSLPeerUnverifiedException.class, session::getPeerCertificates);
        assertThrows(SSLPeerUnverifiedException.class, session::getPeerPrincipal);
        assertNull(session.getLocalCertificates());
        session.putValue("name", "value");
        assertEquals("value", session.getValue("name"));
        assertArrayEquals(new String[] {"name"}, session.getValueNames());
        session.removeValue("name");
        assertNull(session.getValue("name"));
        assertTrue(session.isValid());
        session.invalidate();
        assertFalse(session.isValid());
        assertFalse(engine.getUseClientMode());
        assertArrayEquals(new String[] {"TLSv1.3"}, engine.getSSLParameters().getProtocols());
    }

    private static void assertResult(SSLEngineResult result, Status status, int consumed, int produced) {
        assertEquals(status, result.getStatus());
        assertEquals(consumed, result.bytesConsumed());
        assertEquals(produced, result.bytesProduced());
    }
}
