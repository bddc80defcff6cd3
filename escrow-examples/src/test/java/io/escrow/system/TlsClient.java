package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/**
 * A client of {@link TlsServer} with one connection, whose records it has in its hands. It checks each byte, and keeps a record of the
 * nonces with which the server's records were sealed: in TLS 1.2 with AES-GCM they are in the records, in 1.3 only the next number
 * opens one. Each step blocks.
 */
final class TlsClient implements AutoCloseable {

    /** Longer than a server takes to start. */
    private static final int TIMEOUT_MILLIS = 60_000;

    private static final int HEADER = 5;
    private static final int APPLICATION_DATA = 23;

    private final Socket socket = new Socket();
    private final InputStream in;
    private final SSLEngine engine;
    private final Random random;
    private final ByteBuffer received = ByteBuffer.allocate(1 << 17).limit(0);
    private final ByteBuffer plain = ByteBuffer.allocate(1 << 21).limit(0);
    private final Set<Long> nonces = new HashSet<>();
    private byte[] owed = new byte[0];

    TlsClient(int port, SSLContext context, String protocol, String suite, long seed) throws IOException {
        random = new Random(seed);
        engine = context.createSSLEngine();
        engine.setUseClientMode(true);
        engine.setEnabledProtocols(new String[] {protocol});
        engine.setEnabledCipherSuites(new String[] {suite});
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        socket.setSoTimeout(TIMEOUT_MILLIS);
        socket.setTcpNoDelay(true);
        in = socket.getInputStream();
        engine.beginHandshake();
        while (engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING) {
            if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
                send(new byte[0]);
            } else if (engine.getHandshakeStatus() == HandshakeStatus.NEED_TASK) {
                runTasks();
            } else {
                unwrap();
            }
        }
    }

    /** Returns how many records of data have come, each sealed with a number of its own. */
    int records() {
        return nonces.size();
    }

    /** Asks for an echo, which is not read yet. */
    void ask(int length) throws IOException {
        byte[] message = new byte[Integer.BYTES + length];
        random.nextBytes(message);
        ByteBuffer.wrap(message).putInt(length);
        byte[] all = ByteBuffer.allocate(owed.length + message.length)
                .put(owed)
                .put(message)
                .array();
        owed = all;
        send(message);
    }

    /** Reads all that was asked for. */
    void check() throws IOException {
        while (plain.remaining() < owed.length) {
            unwrap();
        }
        byte[] echo = new byte[owed.length];
        plain.get(echo);
        assertArrayEquals(owed, echo);
        owed = new byte[0];
    }

    void echo(int length) throws IOException {
        ask(length);
        check();
    }

    /** Takes another key, and has the server take one; TLS 1.3. */
    void updateKeys() throws IOException {
        engine.beginHandshake();
        send(new byte[0]);
    }

    /** Sends the beginning of a record that has a message in it. */
    void sendHalf() throws IOException {
        byte[] records = encrypt(new byte[] {0, 0, 0, 1, 1});
        socket.getOutputStream().write(records, 0, records.length / 2);
    }

    private void send(byte[] bytes) throws IOException {
        socket.getOutputStream().write(encrypt(bytes));
    }

    private byte[] encrypt(byte[] bytes) throws SSLException {
        ByteBuffer source = ByteBuffer.wrap(bytes);
        ByteBuffer out = ByteBuffer.allocate(2 * bytes.length + (1 << 16));
        do {
            SSLEngineResult result = engine.wrap(source, out);
            if (result.getStatus() != Status.OK) {
                throw new SSLException("wrap: " + result);
            }
            runTasks();
        } while (source.hasRemaining() || engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP);
        byte[] records = new byte[out.flip().remaining()];
        out.get(records);
        return records;
    }

    private void runTasks() {
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
        }
    }

    /** Opens a record, when it is there. */
    private void unwrap() throws IOException {
        awaitRecord();
        boolean shaking = engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING;
        int type = received.get(received.position());
        long nonce = received.remaining() < HEADER + Long.BYTES ? 0 : received.getLong(received.position() + HEADER);
        plain.compact();
        SSLEngineResult result = engine.unwrap(received, plain);
        plain.flip();
        runTasks();
        if (result.getStatus() != Status.OK) {
            throw new SSLException("unwrap: " + result);
        }
        if (!shaking && type == APPLICATION_DATA && result.bytesProduced() > 0) {
            note(nonce);
        }
        if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP && !shaking) {
            send(new byte[0]);
        }
    }

    private void note(long explicit) {
        boolean inRecord = engine.getSession().getProtocol().equals("TLSv1.2")
                && engine.getSession().getCipherSuite().contains("GCM");
        assertTrue(
                nonces.add(inRecord ? explicit : nonces.size()),
                "the number " + explicit + " has sealed two records of one key");
    }

    private void awaitRecord() throws IOException {
        while (received.remaining() < HEADER
                || received.remaining() < HEADER + (received.getShort(received.position() + 3) & 0xffff)) {
            received.compact();
            int read = in.read(received.array(), received.position(), received.remaining());
            if (read < 0) {
                throw new EOFException("the connection has ended");
            }
            received.position(received.position() + read).flip();
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
