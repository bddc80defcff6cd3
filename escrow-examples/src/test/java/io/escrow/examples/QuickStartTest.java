package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.DaemonOptions;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class QuickStartTest {

    private static final Path SOURCE = Path.of("src/main/java/io/escrow/examples/QuickStart.java");
    private static final Path README = Path.of("../README.md");

    @Test
    void readmeShowsWhatIsCompiled() throws IOException {
        String compiled = find("// README begins\n(.*?)// README ends\n", Files.readString(SOURCE));
        String shown = find("```java\n(.*?)```\n", Files.readString(README));
        assertEquals(compiled.stripIndent(), shown);
    }

    private static String find(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern, Pattern.DOTALL).matcher(text);
        assertTrue(matcher.find(), pattern);
        return matcher.group(1);
    }

    @Test
    void connectionIsTakenBackFromTheEscrow(@TempDir Path directory) throws Exception {
        String path = directory.resolve("s").toString();
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        EscrowDaemon daemon = EscrowDaemon.start(DaemonOptions.of(path));
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            EpollSocketChannel channel = connect(group, server);
            try (Socket peer = server.accept();
                    BlockingEscrow escrow = client(path, group)) {
                QuickStart.keep(escrow, channel);
                channel.close().sync();

                EpollSocketChannel again = QuickStart.takeBack(escrow, group, new EchoHandler());
                peer.getOutputStream().write("hello".getBytes(UTF_8));
                assertArrayEquals("hello".getBytes(UTF_8), peer.getInputStream().readNBytes(5));

                assertEquals(0, escrow.tag(1).used());
                again.close().sync();
                assertEquals(-1, peer.getInputStream().read());
            }
        } finally {
            daemon.close();
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    private static EpollSocketChannel connect(EventLoopGroup group, ServerSocket server) throws InterruptedException {
        EpollSocketChannel channel = new EpollSocketChannel();
        group.register(channel).sync();
        channel.connect(server.getLocalSocketAddress()).sync();
        return channel;
    }

    /** Not by {@link QuickStart#connect}, which may start a process. */
    private static BlockingEscrow client(String path, EventLoopGroup group) throws Exception {
        return EscrowClient.builder().path(path).group(group).connectBlocking(Duration.ofSeconds(30));
    }
}
