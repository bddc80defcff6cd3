package io.escrow.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Limits;
import io.escrow.SocketPath;
import io.escrow.codec.Frame;
import io.escrow.codec.Wire;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollMode;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Serves clients as an escrow daemon does, in the process of a test: one session at a time, on a socket in the UNIX
 * domain. It has no timeouts, no control socket and no access rules, and keeps unclaimed slots until it is closed.
 */
public final class InMemoryEscrow implements AutoCloseable {

    private static final int BACKLOG = 4_096;

    /**
     * Bounds what is held in all.
     *
     * @param slots the most slots
     * @param bytes the largest sum of all payloads and farewells
     * @param descriptors the most descriptors
     */
    public record Capacity(int slots, long bytes, int descriptors) {

        /** More than tests store. */
        public static final Capacity LARGE = new Capacity(1_000_000, 1L << 30, 10_000);
    }

    /** What becomes of a request that is not just answered. */
    public enum Fault {
        /** Is not carried out; the answer says so. */
        REFUSED,
        /** Is not carried out, and the session ends. */
        REQUEST_LOST,
        /** Is carried out like the rest of its packet, and the session ends without an answer to any of them. */
        ANSWER_LOST
    }

    private final Path path;
    private final InMemorySlots slots;
    private volatile Function<Frame, Fault> faults = request -> null;
    private final EventLoopGroup group = EventLoopGroups.epoll(1, "in-memory-escrow");
    private final ChannelGroup sessions = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private final Channel server;

    @SuppressWarnings("deprecation") // Netty 4.2 has one mode of epoll only
    private InMemoryEscrow(Path path, Capacity capacity) {
        this.path = path;
        this.slots = new InMemorySlots(Limits.DEFAULT.tags(), capacity);
        noteSession(0);
        this.server = new ServerBootstrap()
                .group(group)
                .channel(EpollServerDomainSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childOption(EpollChannelOption.EPOLL_MODE, EpollMode.LEVEL_TRIGGERED)
                // Reads one connection, and the next only after its session.
                .option(ChannelOption.AUTO_READ, false)
                .childHandler(new ChannelInitializer<EpollDomainSocketChannel>() {
                    @Override
                    protected void initChannel(EpollDomainSocketChannel channel) throws IOException {
                        beginSession(channel);
                    }
                })
                .bind(new DomainSocketAddress(path.toFile()))
                .syncUninterruptibly()
                .channel();
        server.read();
    }

    /**
     * Starts an escrow with room for everything.
     *
     * @param path the path of its socket, where nothing is yet
     */
    public static InMemoryEscrow start(Path path) {
        return start(path, Capacity.LARGE);
    }

    /**
     * Starts an escrow.
     *
     * @param path the path of its socket, where nothing is yet
     * @param capacity the bounds of what is held in all
     */
    public static InMemoryEscrow start(Path path, Capacity capacity) {
        return new InMemoryEscrow(path, capacity);
    }

    /**
     * Lets requests fail from now on.
     *
     * @param which gets each request, and returns what becomes of it; {@code null} if it is to be answered
     */
    public void faults(Function<Frame, Fault> which) {
        faults = which;
    }

    private void beginSession(EpollDomainSocketChannel channel) throws IOException {
        sessions.add(channel);
        noteSession(channel.peerCredentials().pid());
        channel.closeFuture().addListener(closed -> {
            noteSession(0);
            server.read();
        });
        // A client that is gone gets no answers, but what it has asked for is carried out.
        channel.config().setAutoClose(false);
        channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(1, 1));
        Wire.install(channel, true, Limits.DEFAULT);
        channel.pipeline().addLast(new InMemorySession(slots, Limits.DEFAULT, request -> faults.apply(request)));
    }

    /** Writes the process of the client to the lock file, where waiting clients look for it. */
    private void noteSession(long pid) {
        try {
            String lines = ProcessHandle.current().pid() + "\n" + pid + "\n";
            Files.write(SocketPath.lockFile(path), lines.getBytes(UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Ends the session that is on, and keeps the slots. */
    public void endSession() {
        // Not as a group, which would then close later ones, too.
        sessions.forEach(session -> session.close().syncUninterruptibly());
    }

    /** Ends the session, removes the socket and closes every descriptor. Does nothing the second time. */
    @Override
    public void close() {
        if (group.isShuttingDown()) {
            return;
        }
        server.close().syncUninterruptibly();
        sessions.close().syncUninterruptibly();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        try {
            Files.deleteIfExists(path);
            Files.deleteIfExists(SocketPath.lockFile(path));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        slots.close();
    }
}
