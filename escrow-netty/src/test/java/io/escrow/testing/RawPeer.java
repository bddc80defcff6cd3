package io.escrow.testing;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.internal.EventLoops;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.Callable;

/** One end of a connection in the UNIX domain, without a channel: sends and receives what a test tells it to. */
public final class RawPeer implements AutoCloseable {

    private final Socket socket;

    private RawPeer(Socket socket) {
        this.socket = socket;
    }

    /** Connects to a listening socket. */
    public static RawPeer connect(Path path) throws IOException {
        Epoll.ensureAvailability();
        Socket socket = Socket.newSocketDomain();
        socket.connect(new DomainSocketAddress(path.toFile()));
        return new RawPeer(socket);
    }

    /** Makes a connection; the first of the two ends is here, the second the channel's. */
    public static Pair pair(Path directory) throws IOException {
        Epoll.ensureAvailability();
        Path path = Files.createTempFile(directory, "pair", "");
        Files.delete(path);
        Socket listener = Socket.newSocketDomain();
        listener.bind(new DomainSocketAddress(path.toFile()));
        listener.listen(1);
        RawPeer peer = connect(path);
        int other = listener.accept(new byte[128]);
        listener.close();
        Files.delete(path);
        return new Pair(peer, EventLoops.levelTriggered(new EpollDomainSocketChannel(other)));
    }

    /** A connection with this on the one end and a channel, which is not registered yet, on the other. */
    public record Pair(RawPeer peer, EpollDomainSocketChannel channel) {}

    /** Makes a channel of this end, which from now on owns the socket. */
    public EpollDomainSocketChannel toChannel() {
        return EventLoops.levelTriggered(new EpollDomainSocketChannel(socket.intValue()));
    }

    /** Sends bytes, written as hexadecimal digits with or without spaces. */
    public void send(String hex) {
        send(HexFormat.of().parseHex(hex.replace(" ", "")));
    }

    /** Sends bytes; waits while the socket is full. */
    public void send(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        until(() -> {
            buffer.position(buffer.position() + Math.max(0, socket.write(buffer, buffer.position(), buffer.limit())));
            return !buffer.hasRemaining();
        });
    }

    /** Sends one byte with one descriptor; waits while the socket is full. */
    public void sendDescriptor(int number) {
        until(() -> socket.sendFd(number) == 1);
    }

    /** Receives exactly so many bytes, and returns them as hexadecimal digits. */
    public String receive(int length) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(length);
        until(() -> {
            int read = socket.read(buffer, buffer.position(), buffer.limit());
            if (read < 0) {
                throw new IOException("end of the stream after " + buffer.position() + " of " + length + " bytes");
            }
            buffer.position(buffer.position() + read);
            return !buffer.hasRemaining();
        });
        byte[] bytes = new byte[length];
        buffer.flip().get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /** Receives one byte with one descriptor, and returns its number, which the caller closes. */
    public int receiveDescriptor() {
        int[] number = new int[1];
        until(() -> (number[0] = socket.recvFd()) != 0);
        return number[0];
    }

    /** Waits for the end of the stream, and fails if anything comes before it. */
    public void awaitEnd() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(1);
        int[] read = new int[1];
        until(() -> (read[0] = socket.read(buffer, 0, 1)) != 0);
        assertEquals(-1, read[0], "a byte came in place of the end of the stream");
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    private static void until(Callable<Boolean> done) {
        await().pollInSameThread()
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .until(done);
    }
}
