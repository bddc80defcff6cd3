package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.handover.tls.record.NonceRecord;
import io.escrow.handover.tls.source.ClientNonces;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/**
 * A client of TLS that has its records in its hands. Each step blocks. Fails if two records that it gets were sealed with the same
 * key and number.
 */
final class TlsPeer implements AutoCloseable {

    private static final int TIMEOUT_MILLIS = 10_000;
    private static final int BUFFER = 32 * 1024;

    private final SocketChannel channel;
    private final ReadableByteChannel readable;
    private final SSLEngine engine;
    private final ByteBuffer received = ByteBuffer.allocate(1 << 17).limit(0);
    private final ByteBuffer plain = ByteBuffer.allocate(1 << 18).limit(0);
    private boolean ended;
    private NonceRecord nonces;

    /** Connects, and does the handshake. */
    TlsPeer(InetSocketAddress address, SSLEngine engine) throws IOException {
        channel = SocketChannel.open();
        // So that not much need be sent until the server can send no more.
        channel.setOption(StandardSocketOptions.SO_RCVBUF, BUFFER);
        channel.connect(address);
        channel.socket().setSoTimeout(TIMEOUT_MILLIS);
        // The only way to read with a timeout.
        readable = Channels.newChannel(channel.socket().getInputStream());
        this.engine = engine;
        engine.setUseClientMode(true);
        engine.beginHandshake();
        shakeHands();
        nonces = ClientNonces.of(engine);
        note(received.duplicate());
    }

    SSLEngine engine() {
        return engine;
    }

    /** Returns records with some bytes, and whatever the engine has to say before. */
    byte[] encrypt(byte[] bytes) throws SSLException {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        ByteBuffer out = ByteBuffer.allocate(bytes.length + bytes.length / 8 + (1 << 17));
        do {
            SSLEngineResult result = engine.wrap(in, out);
            if (result.getStatus() != Status.OK && result.getStatus() != Status.CLOSED) {
                throw new SSLException("wrap: " + result);
            }
        } while (in.hasRemaining() || engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP);
        byte[] records = new byte[out.flip().remaining()];
        out.get(records);
        return records;
    }

    void sendRaw(byte[] bytes, int from, int to) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes, from, to - from);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    void send(byte[] bytes) throws IOException {
        byte[] records = encrypt(bytes);
        sendRaw(records, 0, records.length);
    }

    void assertReceives(byte[] expected) throws IOException {
        byte[] got = new byte[expected.length];
        for (int i = 0; i < got.length; ) {
            if (!plain.hasRemaining() && !unwrap()) {
                throw new EOFException("after " + i + " of " + got.length + " bytes");
            }
            int part = Math.min(plain.remaining(), got.length - i);
            plain.get(got, i, part);
            i += part;
        }
        assertArrayEquals(expected, got);
    }

    /** Waits for so many bytes of anything. */
    void awaitReceived(int length) throws IOException {
        while (plain.remaining() < length) {
            if (!unwrap()) {
                throw new EOFException("after " + plain.remaining() + " of " + length + " bytes");
            }
        }
    }

    /** Sends a record of the echo server, and waits for it. */
    void assertEchoes(byte[] record) throws IOException {
        byte[] framed = Peer.framed(record);
        send(framed);
        assertReceives(framed);
    }

    void assertEchoes(String record) throws IOException {
        assertEchoes(record.getBytes(UTF_8));
    }

    /** Asks for new keys; TLS 1.3. */
    void updateKeys() throws IOException {
        engine.beginHandshake();
        send(new byte[0]);
    }

    /** Sends close_notify. */
    void closeOutput() throws IOException {
        engine.closeOutbound();
        send(new byte[0]);
    }

    /** Waits for the close_notify of the server; nothing may come before that. */
    void assertCloseNotify() throws IOException {
        while (unwrap()) {
            assertEquals(0, plain.remaining());
        }
        assertEquals(true, engine.isInboundDone(), "the stream ends without a close_notify");
    }

    /** Reads and decrypts a record; returns whether there was one. */
    private boolean unwrap() throws IOException {
        while (true) {
            plain.compact();
            SSLEngineResult result = engine.unwrap(received, plain);
            plain.flip();
            runTasks();
            if (result.getStatus() == Status.CLOSED) {
                return false;
            }
            if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP && !engine.isInboundDone()) {
                send(new byte[0]);
            }
            if (result.getStatus() == Status.BUFFER_UNDERFLOW) {
                if (ended || !read()) {
                    ended = true;
                    return false;
                }
            } else {
                return true;
            }
        }
    }

    private boolean read() throws IOException {
        received.compact();
        int before = received.position();
        int read = readable.read(received);
        received.flip();
        if (read > 0) {
            note(received.duplicate().position(before));
        }
        return read >= 0;
    }

    private void note(ByteBuffer came) {
        if (nonces != null) {
            byte[] bytes = new byte[came.remaining()];
            came.get(bytes);
            nonces.note(bytes);
        }
    }

    /** Reads whatever still comes, until the connection has ended, also if what was to be sent can't be. */
    void readToEnd() {
        try {
            do {
                received.clear().limit(0);
            } while (read());
        } catch (IOException e) {
            // Nothing more comes.
        }
    }

    private void runTasks() {
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
        }
    }

    private void shakeHands() throws IOException {
        while (engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING) {
            runTasks();
            if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
                send(new byte[0]);
            } else if (engine.getHandshakeStatus() == HandshakeStatus.NEED_UNWRAP && !unwrap()) {
                throw new EOFException("in the handshake");
            }
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
