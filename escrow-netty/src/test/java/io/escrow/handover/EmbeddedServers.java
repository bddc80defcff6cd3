package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.EscrowClient;
import io.escrow.handover.connection.Connection;
import io.escrow.internal.EventLoops;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.InMemoryEscrow;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Runs one server after the other within this process, and an escrow for them. */
final class EmbeddedServers implements AutoCloseable {

    static final Duration TIME = Duration.ofSeconds(20);

    private final EventLoopGroup group = EventLoopGroups.epoll(2);
    private final String path;
    private final boolean crashSafe;
    private final Consumer<Channel> initializer;
    private final Consumer<ServerHandoverBuilder> settings;
    private final InMemoryEscrow daemon;
    private int port;
    private ServerHandover current;

    EmbeddedServers(Path directory, boolean crashSafe, Consumer<Channel> initializer) {
        this(directory, crashSafe, initializer, builder -> {});
    }

    /** Starts the first server. */
    EmbeddedServers(
            Path directory,
            boolean crashSafe,
            Consumer<Channel> initializer,
            Consumer<ServerHandoverBuilder> settings) {
        this.path = directory.resolve("s").toString();
        this.crashSafe = crashSafe;
        this.initializer = initializer;
        this.settings = settings;
        this.daemon = InMemoryEscrow.start(directory.resolve("s"));
        start();
    }

    private void start() {
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                initializer.accept(channel);
            }
        });
        ServerHandoverBuilder builder = ServerHandover.with(
                        EscrowClient.builder().path(path))
                .listen("http", bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .crashSafe(crashSafe);
        settings.accept(builder);
        current = builder.start().join();
        port = ((InetSocketAddress) current.listeners().get(0).localAddress()).getPort();
    }

    int port() {
        return port;
    }

    URI uri(String scheme, String pathAndQuery) {
        return URI.create(scheme + "://127.0.0.1:" + port + pathAndQuery);
    }

    ServerHandover current() {
        return current;
    }

    /** Hands over and starts again; nothing may stay behind or be refused. */
    HandoverReport next() {
        HandoverReport report = handOverAndStart();
        assertTrue(report.staying().isEmpty(), report::toString);
        assertEquals(List.of(), current.startReport().refused());
        return report;
    }

    HandoverReport handOverAndStart() {
        HandoverReport report = current.handOver(TIME).join();
        start();
        return report;
    }

    /** Ends as a process that is killed does, and starts again. */
    void crash() throws Exception {
        current.context().session().end().get();
        for (Channel listener : current.listeners()) {
            EventLoops.deregister(listener).join();
            listener.unsafe().closeForcibly();
        }
        for (Connection connection : current.context().connections().all()) {
            EventLoops.call(connection.channel().eventLoop(), () -> HandoverHarness.closeDescriptor(connection))
                    .join();
        }
        start();
    }

    @Override
    public void close() {
        current.close();
        daemon.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
