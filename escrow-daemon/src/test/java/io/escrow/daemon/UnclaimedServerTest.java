package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.UnclaimedOptions;
import io.escrow.handover.HandoverHarness;
import io.escrow.handover.Peer;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What peers of a server read when no process takes their connections. */
class UnclaimedServerTest extends HandoverHarness {

    private static final byte[] GOODBYE = Peer.framed("goodbye".getBytes(US_ASCII));
    private static final String UNAVAILABLE =
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

    @Override
    protected AutoCloseable startDaemon(Path path) throws Exception {
        return EscrowDaemon.start(DaemonOptions.builder()
                .path(path.toString())
                .unclaimed(new UnclaimedOptions(Duration.ofSeconds(1), Duration.ZERO))
                .build());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void peersReadWhatTheServerChose(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(echoServer().farewell("echo", GOODBYE));
        Peer peer = connect();
        peer.assertEchoes(new byte[100]);
        // What it has sent of a record is moved, and thrown away in the end.
        peer.sendRaw((byte) 0, (byte) 0);

        handOver(server);

        peer.assertReceives("goodbye".getBytes(US_ASCII));
        peer.assertEnds();
    }

    @Test
    void peersReadOnlyTheEndOfProtocolThatNobodyKnows() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(new byte[100]);

        handOver(server);

        peer.assertEnds();
    }

    @Test
    void httpPeersReadThatTheServiceIsUnavailable() throws Exception {
        ServerHandover server = start(server(webServer()));
        try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), port)) {
            awaitConnections(server, 1);
            handOver(server);

            assertEquals(UNAVAILABLE, new String(peer.getInputStream().readAllBytes(), US_ASCII));
        }
    }

    @Test
    void webSocketPeersReadThatTheServiceRestarts() throws Exception {
        ServerHandover server = start(server(webServer()));
        try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), port)) {
            upgrade(peer);
            handOver(server);

            byte[] close = {(byte) 0x88, 2, 3, (byte) 0xf4};
            assertArrayEquals(close, peer.getInputStream().readAllBytes());
        }
    }

    @Test
    void webPeersReadWhatTheServerChose() throws Exception {
        ServerHandover server = start(server(webServer()).farewell("echo", GOODBYE));
        try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), port)) {
            awaitConnections(server, 1);
            handOver(server);

            assertArrayEquals(GOODBYE, peer.getInputStream().readAllBytes());
        }
    }

    @Test
    void saysNothingAfterCrash() throws Exception {
        crashSafe = true;
        ServerHandover server = start(server(webServer()));
        try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), port)) {
            awaitEscrowed(server, 1);
            crash(server);

            assertEquals(0, peer.getInputStream().readAllBytes().length);
        }
    }

    private ServerBootstrap webServer() {
        return bootstrap(ch -> ch.pipeline()
                .addLast(new HttpServerCodec(), new HttpObjectAggregator(10_000))
                .addLast(new WebSocketServerProtocolHandler("/ws"), new Nothing<>(FullHttpRequest.class))
                .addLast(new Nothing<>(WebSocketFrame.class)));
    }

    private static void upgrade(Socket peer) throws IOException {
        String request = String.join(
                "\r\n",
                "GET /ws HTTP/1.1",
                "Host: a",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 13",
                "",
                "");
        peer.getOutputStream().write(request.getBytes(US_ASCII));
        StringBuilder answer = new StringBuilder();
        while (!answer.toString().endsWith("\r\n\r\n")) {
            answer.append((char) peer.getInputStream().read());
        }
    }

    /** Answers nothing. */
    private static final class Nothing<T> extends SimpleChannelInboundHandler<T> {
        Nothing(Class<T> type) {
            super(type);
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, T msg) {
            // The test is not about answers.
        }
    }
}
