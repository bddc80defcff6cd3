package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.protocol.PendingWork;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Answers each byte with the number of its process, and is handed over in waves on SIGTERM. Arguments: the escrow's socket; the port, 0
 * for any; crash-safe or not; a file for which it waits at the first connection, after it has printed so.
 */
public final class UnansweredServer {

    static final String WAITING = "Waiting";
    static final String SERVING = "Serving ";
    static final String STOPPED = "Stopped";

    /** Begins work on a connection: it does not come to rest. */
    static final byte BUSY = 'b';

    /** Ends that work. */
    static final byte DONE = 'd';

    private static final byte[] NAME = (ProcessHandle.current().pid() + "\n").getBytes(US_ASCII);

    private UnansweredServer() {}

    /** Runs until SIGTERM. */
    public static void main(String[] args) {
        AtomicReference<Path> awaited = new AtomicReference<>(args.length > 3 ? Path.of(args[3]) : null);
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                Path file = awaited.getAndSet(null);
                if (file != null) {
                    awaitFile(file);
                }
                ch.pipeline().addLast(new Answer());
            }
        });
        ServerHandover server = ServerHandover.with(
                        EscrowClient.builder().path(args[0]).onWaiting(waiting -> System.out.println(WAITING)))
                .listen(
                        "numbers",
                        bootstrap,
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[1])))
                .crashSafe(Boolean.parseBoolean(args[2]))
                .waves(Duration.ofMillis(20))
                .rehearsal(false)
                .start()
                .join();
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> System.out.println(server.handOver(Duration.ofSeconds(60))
                        .handle((report, failure) -> failure == null ? report : failure)
                        .join())));
        InetSocketAddress address =
                (InetSocketAddress) server.listeners().get(0).localAddress();
        System.out.println(SERVING + address.getPort() + " " + server.startReport());
    }

    private static void awaitFile(Path file) {
        System.out.println(STOPPED);
        try (WatchService created = file.getFileSystem().newWatchService()) {
            file.toAbsolutePath().getParent().register(created, StandardWatchEventKinds.ENTRY_CREATE);
            while (!Files.exists(file)) {
                created.take().reset();
            }
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static final class Answer extends SimpleChannelInboundHandler<ByteBuf> {
        private PendingWork work;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf bytes) {
            while (bytes.isReadable()) {
                byte what = bytes.readByte();
                if (what == BUSY) {
                    work = PendingWork.begin(ctx.channel());
                } else if (what == DONE) {
                    work.close();
                }
                ctx.writeAndFlush(Unpooled.wrappedBuffer(NAME));
            }
        }
    }
}
