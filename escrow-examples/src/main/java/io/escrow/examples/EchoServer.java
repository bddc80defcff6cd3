package io.escrow.examples;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * A server that survives {@code kill -9}: it puts its listener and its connections into the escrow, and takes them back
 * when it starts again. It uses the slots of the escrow by itself, without {@code ServerHandover}.
 */
@Command(
        name = "echo-server",
        description = "Echoes what it receives. Kill it with SIGKILL and start it again: its connections continue.")
final class EchoServer implements Callable<Integer> {

    /** How the line begins that the server prints when it is ready; the port follows. */
    static final String READY = "Serving port ";

    private static final int LISTENERS = 0;
    private static final int CONNECTIONS = 1;

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    @Parameters(
            paramLabel = "PATH",
            description = "path of the escrow's socket; a daemon is started if none is running")
    private String path;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "port to listen on, 0 for any; default: ${DEFAULT-VALUE}")
    private int port = 8087;

    @Option(names = "--quiet", description = "do not print the messages to and from the escrow")
    private boolean quiet;

    @Option(
            names = "--delay",
            paramLabel = "MILLIS",
            description = "how long the server waits before each answer; default: ${DEFAULT-VALUE}")
    private int delay;

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        // All channels share one event loop, the channel to the escrow too. So nothing here needs a lock.
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        EscrowClient escrow = EscrowClient.builder()
                .path(path)
                .group(group)
                .launch(DaemonLaunch.onDemand().replaceDeadSocket(true))
                .verbose(!quiet)
                // The next version may start while this one is running. It then waits here for its turn.
                .awaitTurn()
                .get();
        ConnectionEscrow connections = new ConnectionEscrow(escrow, CONNECTIONS);
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(group)
                // Nothing is accepted before the connections of the previous process have their slots again.
                .option(ChannelOption.AUTO_READ, false)
                .handler(connections)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        if (delay > 0) {
                            channel.pipeline().addLast(new DelayHandler(delay));
                        }
                        channel.pipeline().addLast(new EchoHandler());
                    }
                });

        BlockingEscrow blocking = escrow.toBlocking(TIMEOUT);
        Channel listener = adoptListener(blocking, bootstrap);
        if (listener == null) {
            listener = bind(bootstrap);
            blocking.add(LISTENERS, 0, ((EpollServerSocketChannel) listener).fd(), Deposit.NO_BYTES);
        }
        blocking.getAll(CONNECTIONS, connections::adopt).orThrow();
        listener.config().setAutoRead(true);

        int actualPort = ((InetSocketAddress) listener.localAddress()).getPort();
        System.out.println(
                READY + actualPort + " (connections taken out of the escrow: " + connections.adopted() + ")");
        escrow.closed()
                .thenRun(() -> System.err.println(
                        "echo-server: the session with the escrow has ended; connections will not survive a restart"));
        listener.closeFuture().sync();
        return 0;
    }

    /** Takes the listener out of the escrow. Returns {@code null} if the escrow has none. */
    private static Channel adoptListener(BlockingEscrow escrow, ServerBootstrap bootstrap)
            throws EscrowException, InterruptedException {
        try (Entry entry = escrow.get(LISTENERS, 0)) {
            int descriptor = entry.takeDescriptor().intValue();
            // The socket is bound and listening already, so register() is enough.
            return bootstrap
                    .channelFactory(() -> new EpollServerSocketChannel(descriptor))
                    .register()
                    .sync()
                    .channel();
        } catch (EscrowException e) {
            if (e.status() == Status.ENOENT) {
                return null;
            }
            throw e;
        }
    }

    private Channel bind(ServerBootstrap bootstrap) throws IOException, InterruptedException {
        var bound = bootstrap
                .channelFactory(EpollServerSocketChannel::new)
                .bind(port)
                .await();
        if (!bound.isSuccess()) {
            throw new IOException(
                    "cannot listen on port " + port + ": " + bound.cause().getMessage(), bound.cause());
        }
        return bound.channel();
    }
}
