package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.netty.channel.ChannelHandler;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import java.time.Duration;

/** The shortest program that keeps a connection. A test checks that the README quotes what is between the marks. */
final class QuickStart {

    private QuickStart() {}

    // README begins
    static BlockingEscrow connect(String path) throws EscrowException {
        return EscrowClient.builder()
                .path(path)
                .launch(DaemonLaunch.onDemand())
                .connectBlocking(Duration.ofSeconds(30));
    }

    static void keep(BlockingEscrow escrow, EpollSocketChannel channel) throws EscrowException {
        // From now on escrowd holds a duplicate of the socket, whatever happens to this process.
        escrow.add(1, 42, channel.fd(), "user=ann".getBytes(UTF_8));
    }

    // After a restart, or kill -9:
    static EpollSocketChannel takeBack(BlockingEscrow escrow, EventLoopGroup group, ChannelHandler handler)
            throws EscrowException {
        try (Entry entry = escrow.get(1, 42)) {
            System.out.println(new String(entry.payload(), UTF_8)); // user=ann
            EpollSocketChannel channel =
                    new EpollSocketChannel(entry.takeDescriptor().intValue());
            channel.pipeline().addLast(handler);
            group.register(channel);
            escrow.delete(1, 42); // or leave it there until the connection is closed
            return channel;
        }
    }
    // README ends
}
