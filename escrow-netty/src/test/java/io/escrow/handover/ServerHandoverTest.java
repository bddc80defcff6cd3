package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
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
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands servers over within one process, through an escrow in it. */
class ServerHandoverTest {

    private static final Duration TIME = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    private final EventLoopGroup group = EventLoopGroups.epoll(2);
    private final Queue<Progress> progress = new ConcurrentLinkedQueue<>();
    private InMemoryEscrow daemon;
    private int port;

    @BeforeEach
    void startDaemon() {
        daemon = InMemoryEscrow.start(directory.resolve("s"));
    }

    @AfterEach
    void stopDaemon() {
        daemon.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsGoOnThroughManyHandovers(boolean crashSafe) throws Exception {
        ServerHandover server = start(crashSafe);
        List<Socket> clients = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            clients.add(connect());
        }
        awaitConnections(server, clients.size());
        Random random = new Random(1);
        for (int round = 0; round < 20; round++) {
            byte[][] halves = new byte[clients.size()][];
            for (int i = 0; i < clients.size(); i++) {
                halves[i] = new byte[1 + random.nextInt(100_000)];
                random.nextBytes(halves[i]);
                DataOutputStream out = new DataOutputStream(clients.get(i).getOutputStream());
                out.writeInt(halves[i].length);
                out.write(halves[i], 0, halves[i].length / 2);
                out.flush();
            }
            HandoverReport report = server.handOver(TIME).join();
            assertEquals(clients.size(), report.connections());
            server = start(crashSafe);
            assertEquals(clients.size(), server.startReport().adopted(), server.startReport()::toString);
            for (int i = 0; i < clients.size(); i++) {
                clients.get(i)
                        .getOutputStream()
                        .write(halves[i], halves[i].length / 2, halves[i].length - halves[i].length / 2);
                assertEcho(clients.get(i), halves[i]);
            }
        }
        for (Socket client : clients) {
            client.close();
        }
        awaitConnections(server, 0);
        server.close();
    }

    @Test
    void eachStepTellsWhenItIsDone() throws Exception {
        ServerHandover server = start(false);
        Socket client = connect();
        awaitConnections(server, 1);
        progress.clear();
        server.handOver(TIME).join();
        server = start(false);
        assertEquals(
                List.of(
                        new Progress(Progress.Step.RESTING, 1, 1),
                        // A connection and a listener.
                        new Progress(Progress.Step.STORING, 2, 2),
                        new Progress(Progress.Step.ADOPTING, 1, 1)),
                progress.stream().filter(p -> p.done() == p.total()).distinct().toList());
        client.close();
        awaitConnections(server, 0);
        server.close();
    }

    @Test
    void unsentBytesReachAPeerThatReadsLate() throws Exception {
        ServerHandover server = start(false);
        Socket client = connect();
        byte[] record = new byte[8_000_000];
        new Random(2).nextBytes(record);
        DataOutputStream out = new DataOutputStream(client.getOutputStream());
        out.writeInt(record.length);
        out.write(record);
        server.handOver(TIME).join();
        server = start(false);
        assertEcho(client, record);
        client.close();
        server.close();
    }

    private static void awaitConnections(ServerHandover server, int count) {
        await().until(() -> server.connections() == count);
    }

    private static void assertEcho(Socket client, byte[] record) throws IOException {
        DataInputStream in = new DataInputStream(client.getInputStream());
        assertEquals(record.length, in.readInt());
        byte[] echoed = new byte[record.length];
        in.readFully(echoed);
        assertArrayEquals(record, echoed);
    }

    private Socket connect() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(10_000);
        return socket;
    }

    private ServerHandover start(boolean crashSafe) {
        EscrowClientBuilder escrow =
                EscrowClient.builder().path(directory.resolve("s").toString());
        ServerHandover server = ServerHandover.with(escrow)
                .listen("echo", bootstrap(), new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .crashSafe(crashSafe)
                .onProgress(progress::add)
                .start()
                .join();
        port = ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort();
        assertTrue(port > 0);
        return server;
    }

    private ServerBootstrap bootstrap() {
        return new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(16_000_000, 0, 4), new Echo());
            }
        });
    }

    private static final class Echo extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            ctx.writeAndFlush(Unpooled.copiedBuffer(msg));
        }
    }
}
