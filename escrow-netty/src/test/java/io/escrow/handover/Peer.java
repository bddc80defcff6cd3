package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Random;

/** A client that sends records with their length before them, and waits at most some seconds for what comes back. */
public final class Peer implements AutoCloseable {

    private static final int TIMEOUT_MILLIS = 10_000;

    private final SocketChannel channel;
    private final DataInputStream in;

    private Peer(SocketChannel channel, InputStream in) {
        this.channel = channel;
        this.in = new DataInputStream(in);
    }

    public static Peer tcp(InetSocketAddress address) throws IOException {
        SocketChannel channel = SocketChannel.open(address);
        channel.socket().setSoTimeout(TIMEOUT_MILLIS);
        return new Peer(channel, channel.socket().getInputStream());
    }

    public static Peer unix(Path path) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(path));
        return new Peer(channel, Channels.newInputStream(channel));
    }

    /** Returns bytes that are always the same for a seed. */
    public static byte[] bytes(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    /** Returns a record with its length before it. */
    public static byte[] framed(byte[] record) {
        return ByteBuffer.allocate(Integer.BYTES + record.length)
                .putInt(record.length)
                .put(record)
                .array();
    }

    public void send(byte[] record) throws IOException {
        sendRaw(framed(record));
    }

    public void sendRaw(byte... bytes) throws IOException {
        sendRaw(bytes, 0, bytes.length);
    }

    public void sendRaw(byte[] bytes, int from, int to) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes, from, to - from);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    public void assertReceives(byte[] record) throws IOException {
        assertReceivesRaw(framed(record));
    }

    public void assertReceivesRaw(byte[] expected) throws IOException {
        byte[] received = new byte[expected.length];
        in.readFully(received);
        assertArrayEquals(expected, received);
    }

    public void assertEchoes(byte[] record) throws IOException {
        send(record);
        assertReceives(record);
    }

    /** Waits until the other side has closed; nothing may come before that. */
    public void assertEnds() throws IOException {
        assertEquals(-1, in.read());
    }

    /** Waits until the other side has reset the connection. */
    public void assertReset() throws IOException {
        SocketException reset = null;
        try {
            in.read();
        } catch (SocketTimeoutException e) {
            throw e;
        } catch (SocketException e) {
            reset = e;
        }
        assertEquals("Connection reset", reset == null ? "end of stream" : reset.getMessage());
    }

    /** Waits until the other side has reset the connection, whatever it has sent before. */
    public void assertResetAfterReading() throws IOException {
        SocketException reset = null;
        try {
            while (in.read() >= 0) {
                // It was sent before.
            }
        } catch (SocketException e) {
            reset = e;
        }
        assertEquals("Connection reset", reset == null ? "end of stream" : reset.getMessage());
    }

    public void shutdownOutput() throws IOException {
        channel.shutdownOutput();
    }

    /** Ends the connection with a reset. */
    public void reset() throws IOException {
        channel.socket().setSoLinger(true, 0);
        channel.close();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
