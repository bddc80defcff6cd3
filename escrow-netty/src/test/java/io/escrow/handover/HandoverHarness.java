package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.connection.Connection;
import io.escrow.internal.EventLoops;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.InMemoryEscrow;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs servers of length-prefixed records and an escrow in this process. At the end of each test the escrow must be empty
 * and no socket open.
 */
public abstract class HandoverHarness {

    static {
        // It would use sockets while tests count them.
        RehearsalTime.PROCESS.end();
    }

    /** How long anything may take that is certain to happen. */
    protected static final Duration TIME = Duration.ofSeconds(30);

    @TempDir
    protected Path directory;

    final EventLoopGroup group = EventLoopGroups.epoll(2);
    protected AutoCloseable daemon;
    protected boolean crashSafe;
    protected int port;

    private final List<ServerHandover> servers = new ArrayList<>();
    private final List<Peer> peers = new ArrayList<>();
    private long socketsBefore;

    @BeforeEach
    final void startFirstDaemon() throws Exception {
        restartDaemon();
        // Loads classes, and the first socket of the JDK makes more than one.
        try (BlockingEscrow escrow = connectToEscrow()) {
            assertEquals(0, escrow.tag(0).used());
        }
        useSocketsOfJdk();
        socketsBefore = 0;
        socketsBefore = openSockets();
    }

    /** Accepts, refuses and closes: the JDK keeps a socket of its own from the first time that it needs it. */
    private static void useSocketsOfJdk() throws IOException {
        InetSocketAddress address;
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            address = (InetSocketAddress) server.getLocalSocketAddress();
            Peer.tcp(address).close();
        }
        assertThrows(IOException.class, () -> Peer.tcp(address));
    }

    @AfterEach
    final void leavesNothingBehind() throws Exception {
        for (Peer peer : peers) {
            peer.close();
        }
        servers.forEach(ServerHandover::close);
        try (BlockingEscrow escrow = connectToEscrow()) {
            for (int tag = 0; tag < 3; tag++) {
                assertEquals(0, escrow.tag(tag).used(), "tag " + tag);
            }
        }
        await().until(() -> openSockets() <= socketsBefore);
        daemon.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Starts an escrow at a path; tests of the real daemon start one with their options. */
    protected AutoCloseable startDaemon(Path path) throws Exception {
        return InMemoryEscrow.start(path);
    }

    /** Returns the path of the daemon's socket. */
    protected final Path socket() {
        return directory.resolve("s");
    }

    /** Starts the daemon again after it was closed: its slots are empty. */
    protected final void restartDaemon() throws Exception {
        daemon = startDaemon(socket());
    }

    protected final EscrowClientBuilder escrow() {
        return EscrowClient.builder().path(socket().toString()).connectTimeout(TIME);
    }

    protected final BlockingEscrow connectToEscrow() throws EscrowException {
        return escrow().connectBlocking(TIME);
    }

    /** Describes an echo server on the port of the one before. */
    protected final ServerHandoverBuilder echoServer() {
        return echoServer(escrow());
    }

    ServerHandoverBuilder echoServer(EscrowClientBuilder escrow) {
        return server(
                escrow,
                bootstrap(ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo())));
    }

    protected final ServerHandoverBuilder server(ServerBootstrap bootstrap) {
        return server(escrow(), bootstrap);
    }

    final ServerHandoverBuilder server(EscrowClientBuilder escrow, ServerBootstrap bootstrap) {
        return ServerHandover.with(escrow)
                .listen("echo", bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .crashSafe(crashSafe);
    }

    protected final ServerBootstrap bootstrap(Consumer<Channel> initializer) {
        return new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                initializer.accept(ch);
            }
        });
    }

    /** Begins to start a server whose turn comes after another one's, and returns when it is in the queue. */
    protected final CompletableFuture<ServerHandover> startNext(ServerHandoverBuilder description) {
        return queue(description::start);
    }

    /** Does something that connects to the escrow, which has a session, and returns when it is in the queue. */
    final <T> T queue(Supplier<T> connecting) {
        long before = queued();
        T result = connecting.get();
        await().until(() -> queued() > before);
        return result;
    }

    /** Counts the connections to the escrow that are not accepted: proc(5), /proc/net/unix, shows them as connecting. */
    private long queued() {
        String connecting = "02";
        try (Stream<String> sockets = Files.lines(Path.of("/proc/self/net/unix"))) {
            return sockets.map(line -> line.trim().split("\\s+", 8))
                    .filter(fields -> fields.length == 8 && fields[7].equals(socket().toString()))
                    .filter(fields -> fields[5].equals(connecting))
                    .count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    protected final ServerHandover start() throws EscrowException {
        return start(echoServer());
    }

    protected final ServerHandover start(ServerHandoverBuilder description) throws EscrowException {
        return add(done(description));
    }

    protected final ServerHandover add(ServerHandover server) {
        servers.add(server);
        if (server.listeners().get(0).localAddress() instanceof InetSocketAddress address) {
            port = address.getPort();
        }
        return server;
    }

    private static ServerHandover done(ServerHandoverBuilder description) throws EscrowException {
        try {
            return description.start().join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof EscrowException cause) {
                throw cause;
            }
            throw e;
        }
    }

    protected static HandoverReport handOver(ServerHandover server) throws EscrowException {
        return handOver(server, TIME);
    }

    static HandoverReport handOver(ServerHandover server, Duration time) throws EscrowException {
        return handOver(server, new Deadline(time));
    }

    static HandoverReport handOver(ServerHandover server, Deadline deadline) throws EscrowException {
        try {
            return server.handOver(deadline).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof EscrowException cause) {
                throw cause;
            }
            throw e;
        }
    }

    /**
     * Returns a deadline that comes when a handover has asked again and again whether it may go on, or when one of its steps takes
     * this long: a slow machine may take any time for all the steps before.
     */
    static Deadline whenItOnlyWaits() {
        long time = Duration.ofSeconds(2).toNanos();
        AtomicLong clock = new AtomicLong();
        return new Deadline(Duration.ofNanos(time), () -> clock.addAndGet(time / 500));
    }

    /** Returns a deadline that gives each step so much time, however long those before it took. */
    static Deadline forEachStep(Duration time) {
        return new Deadline(time, () -> 0);
    }

    /** Does to a server what SIGKILL does: its session and its descriptors are closed, and nobody says anything. */
    protected static void crash(ServerHandover server) {
        server.context().session().end().join();
        for (Channel listener : server.listeners()) {
            EventLoops.deregister(listener).join();
            EventLoops.call(listener.eventLoop(), () -> {
                        EventLoops.descriptor(listener).close();
                        return null;
                    })
                    .join();
        }
        List<Connection> connections =
                List.copyOf(server.context().connections().all());
        server.context().connections().all().clear();
        EventLoops.forEach(connections, Connection::channel, HandoverHarness::closeDescriptor)
                .join();
        // Netty tells handlers that a channel is inactive a moment later.
        List<EventExecutor> loops = new ArrayList<>();
        connections.forEach(connection -> loops.add(connection.channel().eventLoop()));
        EventLoops.settle(loops).join();
    }

    /** Closes the descriptor of a connection past its handlers. */
    static Void closeDescriptor(Connection connection) {
        connection.channel().unsafe().close(connection.channel().voidPromise());
        return null;
    }

    protected final Peer connect() throws IOException {
        return add(Peer.tcp(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)));
    }

    List<Peer> connect(int count) throws IOException {
        List<Peer> connected = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            connected.add(connect());
        }
        return connected;
    }

    Peer add(Peer peer) {
        peers.add(peer);
        return peer;
    }

    protected static void awaitConnections(ServerHandover server, int count) {
        await().until(() -> server.connections() == count);
    }

    /** Waits until the escrow of a running, crash-safe server has as many connections. Its session may be lost meanwhile. */
    protected static void awaitEscrowed(ServerHandover server, int count) {
        await().ignoreExceptionsMatching(e -> e.getCause() instanceof EscrowConnectionException)
                .until(() -> server.context()
                                .client()
                                .tag(server.context().table().connectionTag())
                                .join()
                                .used()
                        == count);
    }

    /** Waits until a server that has noticed the loss of its session has it again. */
    protected static void awaitSession(ServerHandover server) {
        await().until(() -> !server.context().session().isLost());
    }

    /** Saves the only connection of a server again. */
    protected static void checkpointOnly(ServerHandover server) {
        server.checkpoint(onlyConnection(server).channel()).join();
    }

    static Connection onlyConnection(ServerHandover server) {
        awaitConnections(server, 1);
        return server.context().connections().all().iterator().next();
    }

    /**
     * Returns how many bytes were sent to a TCP connection of this process by a peer in this process, and not read: the
     * queues of /proc/net/tcp, see proc(5).
     */
    static int unread(Connection connection) throws IOException {
        String local = hexPort(connection.channel().localAddress());
        String remote = hexPort(connection.channel().remoteAddress());
        int unread = 0;
        for (String table : List.of("/proc/self/net/tcp", "/proc/self/net/tcp6")) {
            for (String line : Files.readAllLines(Path.of(table))) {
                String[] fields = line.trim().split("\\s+", -1);
                String[] queues = fields[4].split(":", -1);
                if (fields[1].endsWith(local) && fields[2].endsWith(remote)) {
                    unread += Integer.parseInt(queues[1], 16);
                } else if (fields[1].endsWith(remote) && fields[2].endsWith(local)) {
                    unread += Integer.parseInt(queues[0], 16);
                }
            }
        }
        return unread;
    }

    private static String hexPort(SocketAddress address) {
        return ":%04X".formatted(((InetSocketAddress) address).getPort());
    }

    static long openSockets() throws IOException {
        long count = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : all) {
                try {
                    count += Files.readSymbolicLink(descriptor).toString().startsWith("socket:") ? 1 : 0;
                } catch (NoSuchFileException e) {
                    // It was closed meanwhile.
                }
            }
        }
        return count;
    }

    /** Answers each record with the same. */
    static class Echo extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            ctx.writeAndFlush(Unpooled.copiedBuffer(msg));
        }
    }
}
