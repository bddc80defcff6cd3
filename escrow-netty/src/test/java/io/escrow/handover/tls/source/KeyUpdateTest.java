package io.escrow.handover.tls.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.tls.record.TlsState;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.ByteArrayOutputStream;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client may do with keys and paddings in TLS 1.3, against BoringSSL. */
class KeyUpdateTest {

    private static SslContext serverContext;
    private static SslContext clientContext;

    private TlsPair pair;
    private RawClient client;

    @BeforeAll
    static void makeContexts() throws Exception {
        serverContext = SslContextBuilder.forServer(TestKeys.EC.keys())
                .sslProvider(SslProvider.OPENSSL)
                .build();
        clientContext = SslContextBuilder.forClient()
                .sslProvider(SslProvider.JDK)
                .trustManager(TestKeys.EC.trust())
                .protocols("TLSv1.3")
                .ciphers(List.of("TLS_AES_128_GCM_SHA256"))
                .build();
    }

    private void connect(long seed) {
        pair = new TlsPair(
                clientContext.newHandler(ByteBufAllocator.DEFAULT, "localhost", 1),
                new OpenSslTlsSource(List.of(serverContext)),
                serverContext.newHandler(ByteBufAllocator.DEFAULT),
                seed);
        client = new RawClient(pair.take());
        pair.tracker.resume();
    }

    @AfterEach
    void close() {
        pair.close();
    }

    /** Receives what a client has written, in pieces. */
    private void send(byte[]... records) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] each : records) {
            all.writeBytes(each);
        }
        byte[] bytes = all.toByteArray();
        boolean whole = pair.random.nextInt(3) > 0;
        for (int at = 0; at < bytes.length; ) {
            int length = whole ? bytes.length : Math.min(bytes.length - at, 1 + pair.random.nextInt(3_000));
            TlsPair.receive(pair.server, bytes, at, length);
            at += length;
        }
        assertNull(pair.serverSink.failure);
    }

    /** Asserts that the state is what the client knows; whatever was written must be read. */
    private TlsState assertExact() {
        TlsState state = pair.take();
        assertEquals(client.writeSequence(), state.reads().sequence());
        assertArrayEquals(client.writeSecret(), state.reads().secret());
        assertEquals(client.readSequence(), state.writes().sequence());
        assertArrayEquals(client.readSecret(), state.writes().secret());
        return state;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 16, 37, 300, 16_000})
    void requestIsAnsweredBeforeTheNextData(int padding) throws Exception {
        connect(1);
        send(client.keyUpdate(true, 0, padding));
        assertTrue(assertExact().owesKeyUpdate());
        pair.tracker.resume();
        // A second is answered by the same.
        send(client.keyUpdate(true, 0, padding));
        assertTrue(assertExact().owesKeyUpdate());
        pair.tracker.resume();
        pair.server.writeAndFlush(Unpooled.wrappedBuffer(new byte[7]));
        assertArrayEquals(new byte[7], client.read(TlsPair.written(pair.server)));
        assertEquals(1, client.answers());
        assertFalse(assertExact().owesKeyUpdate());
    }

    @Test
    void owedAnswerIsGivenAfterTheMove() throws Exception {
        connect(1);
        pair.server.writeAndFlush(Unpooled.wrappedBuffer(new byte[7]));
        send(client.keyUpdate(true, 0, 0), client.data(new byte[9], 0));
        client.read(TlsPair.written(pair.server));
        pair.serverSink.take();
        pair.moveServer();
        assertEquals(0, TlsPair.written(pair.server).length);
        pair.server.writeAndFlush(Unpooled.wrappedBuffer(new byte[70_000]));
        assertArrayEquals(new byte[70_000], client.read(TlsPair.written(pair.server)));
        assertEquals(1, client.answers());
        send(client.data(new byte[9], 0));
        assertArrayEquals(new byte[9], pair.serverSink.take());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void keyUpdateMovesInTwoParts(int cut) throws Exception {
        connect(1);
        byte[] both = client.keyUpdate(true, cut, 0);
        int first = 5 + cut + 17;
        TlsPair.receive(pair.server, both, 0, first);
        assertEquals(cut, pair.take().message().length);
        pair.tracker.resume();
        pair.moveServer();
        TlsPair.receive(pair.server, both, first, both.length - first);
        send(client.data(new byte[9], 3));
        assertArrayEquals(new byte[9], pair.serverSink.take());
        pair.server.writeAndFlush(Unpooled.wrappedBuffer(new byte[7]));
        assertArrayEquals(new byte[7], client.read(TlsPair.written(pair.server)));
        assertEquals(1, client.answers());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void stateIsExactWhateverComes(boolean echoes) throws Exception {
        int busy = 0;
        for (int seed = 0; seed < 60; seed++) {
            connect(seed);
            pair.serverSink.echoes = echoes;
            boolean pads = pair.random.nextBoolean();
            for (int round = 0; round < 12; round++) {
                send(randomRecords(pads));
                byte[] received = pair.serverSink.take();
                if (!echoes && pair.random.nextBoolean()) {
                    pair.server.writeAndFlush(
                            Unpooled.wrappedBuffer(pair.randomBytes(pair.random.nextInt(3) == 0 ? 40_000 : 10)));
                }
                byte[] answer = client.read(TlsPair.written(pair.server));
                if (echoes) {
                    assertArrayEquals(received, answer);
                }
                assertNull(pair.tracker.whyImmovable(pair.serverTls()));
                if (pair.tracker.whyBusy(pair.serverTls()) != null) {
                    busy++;
                } else {
                    assertExact();
                    pair.tracker.resume();
                }
            }
            pair.server.writeAndFlush(Unpooled.wrappedBuffer(new byte[1]));
            assertArrayEquals(new byte[1], client.read(TlsPair.written(pair.server)));
            assertExact();
            pair.tracker.resume();
            pair.moveServer();
            send(client.data(new byte[9], 0), client.keyUpdate(true, 0, 3), client.data(new byte[9], 0));
            assertArrayEquals(new byte[18], pair.serverSink.take());
            pair.server.writeAndFlush(Unpooled.wrappedBuffer(new byte[1]));
            assertArrayEquals(new byte[1], client.read(TlsPair.written(pair.server)));
            pair.close();
        }
        assertTrue(busy < 200, "busy: " + busy);
    }

    private byte[][] randomRecords(boolean pads) throws Exception {
        byte[][] records = new byte[1 + pair.random.nextInt(5)][];
        boolean updated = false;
        for (int i = 0; i < records.length; i++) {
            int padding = pads && pair.random.nextBoolean() ? pair.random.nextInt(200) : 0;
            switch (pair.random.nextInt(updated ? 4 : 6)) {
                case 0 -> records[i] = client.data(pair.randomBytes(16_000), padding);
                case 1 -> records[i] = client.data(new byte[0], padding);
                case 5 -> {
                    updated = pair.random.nextInt(4) > 0;
                    int cut = Math.max(0, pair.random.nextInt(12) - 7);
                    records[i] = client.keyUpdate(pair.random.nextBoolean(), cut, padding);
                }
                default -> records[i] = client.data(pair.randomBytes(10), padding);
            }
        }
        return records;
    }

    @Test
    void connectionStaysWhenARecordIsWrong() throws Exception {
        connect(1);
        byte[] record = client.data(new byte[100], 0);
        record[50]++;
        TlsPair.receive(pair.server, record, 0, record.length);
        assertNotNull(pair.tracker.whyImmovable(pair.serverTls()));
    }
}
