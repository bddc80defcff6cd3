package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;

/** The datagram socket on which systemd is told how its services fare: sd_notify(3). */
public final class NotifySocket implements AutoCloseable {

    private final ByteBuffer message = ByteBuffer.allocateDirect(1024);
    private final Socket socket;

    /** Binds it to a path, or to an abstract name after {@code @}. */
    public NotifySocket(String name) throws IOException {
        Epoll.ensureAvailability();
        socket = Socket.newSocketDomainDgram();
        socket.bind(new DomainSocketAddress(name.replace('@', '\0')));
    }

    /** Returns the next message that is there already; {@code null} if there is none. */
    public String poll() throws IOException {
        int length = socket.read(message.clear(), 0, message.capacity());
        return length <= 0 ? null : UTF_8.decode(message.limit(length)).toString();
    }

    /** Waits for the next message. */
    String next() {
        return await("a message for systemd")
                .atMost(TestDaemon.TIMEOUT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(this::poll, text -> text != null);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
