package io.escrow.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.escrow.OwnedDescriptor;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** A connection: a server's end without a channel, to be put into an escrow, and its peer. */
public final class TestConnection implements AutoCloseable {

    static {
        Epoll.ensureAvailability();
    }

    private final Socket server;
    private final SocketChannel peer;

    private TestConnection(Socket server, SocketChannel peer) {
        this.server = server;
        this.peer = peer;
    }

    public static TestConnection tcp() throws IOException {
        Socket listener = Socket.newSocketStream();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        return connect(listener, SocketChannel.open(), listener.localAddress());
    }

    public static TestConnection unix(Path path) throws IOException {
        Socket listener = Socket.newSocketDomain();
        listener.bind(new io.netty.channel.unix.DomainSocketAddress(path.toFile()));
        return connect(listener, SocketChannel.open(StandardProtocolFamily.UNIX), UnixDomainSocketAddress.of(path));
    }

    private static TestConnection connect(Socket listener, SocketChannel peer, SocketAddress address)
            throws IOException {
        listener.listen(1);
        peer.connect(address);
        Socket server = new Socket(listener.accept(new byte[128]));
        listener.close();
        return new TestConnection(server, peer);
    }

    /** Returns the server's end, which its user closes. */
    public Socket server() {
        return server;
    }

    /** Returns what the server's end is, as an escrow owns it. */
    public OwnedDescriptor owned() {
        return new OwnedDescriptor(server.intValue());
    }

    /** Writes as the server does, until the peer has no more room; returns how much that was. */
    public int fill() throws IOException {
        ByteBuffer bytes = ByteBuffer.allocateDirect(64 * 1024);
        int written = 0;
        for (int n = bytes.capacity(); n > 0; written += n) {
            n = server.write(bytes, 0, bytes.capacity());
        }
        return written;
    }

    public SocketChannel peer() {
        return peer;
    }

    public void peerSends(byte... bytes) throws IOException {
        peer.write(ByteBuffer.wrap(bytes));
    }

    /** Lets the peer end in an orderly way. */
    public void peerCloses() throws IOException {
        peer.close();
    }

    /** Lets the peer end with a reset. */
    public void peerResets() throws IOException {
        peer.setOption(StandardSocketOptions.SO_LINGER, 0);
        peer.close();
    }

    /** Checks what the peer reads next. */
    public void assertPeerReads(byte... expected) throws IOException {
        InputStream in = Channels.newInputStream(peer);
        assertArrayEquals(expected, in.readNBytes(expected.length));
    }

    /** Returns what the peer reads until the end of the connection. */
    public byte[] peerReadsToTheEnd() throws IOException {
        return Channels.newInputStream(peer).readAllBytes();
    }

    /** Closes the peer; the server's end is that of whoever has it. */
    @Override
    public void close() throws IOException {
        peer.close();
    }
}
