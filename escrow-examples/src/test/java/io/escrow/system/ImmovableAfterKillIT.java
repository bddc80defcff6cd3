package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.system.ImmovableServer.Kind;
import io.escrow.testing.JarProcess;
import io.escrow.testing.Successors;
import io.netty.handler.codec.http2.Http2FrameCodec;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills a server whose connections can't go on then: the next one resets them, and tells their peers nothing else. */
class ImmovableAfterKillIT {

    private static final int EACH = 3;
    private static final int TIMEOUT_MILLIS = 60_000;
    private static final int HTTP2_HEADER = 9;

    private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII);
    private static final byte[] SETTINGS = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    private static final byte[] PING = {0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    private static final byte[] PONG = {0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};

    /** A text frame with the mask 0: "hello", deflated, as RFC 7692 has it. */
    private static final byte[] DEFLATED = {
        (byte) 0xC1, (byte) 0x87, 0, 0, 0, 0, (byte) 0xF2, 0x48, (byte) 0xCD, (byte) 0xC9, (byte) 0xC9, 0x07, 0x00
    };

    private static final String HTTP2_UPGRADE = """
            GET / HTTP/1.1\r
            Host: x\r
            Connection: Upgrade, HTTP2-Settings\r
            Upgrade: h2c\r
            HTTP2-Settings: \r
            \r
            """;

    private static final String WEBSOCKET_UPGRADE = """
            GET / HTTP/1.1\r
            Host: x\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Extensions: permessage-deflate\r
            \r
            """;

    @TempDir
    private Path directory;

    private final List<Socket> clients = new ArrayList<>();

    @AfterEach
    void closeClients() throws IOException {
        for (Socket client : clients) {
            client.close();
        }
    }

    private JarProcess start() throws IOException {
        return JarProcess.main(
                List.of(Http2FrameCodec.class),
                ImmovableServer.class,
                directory.resolve("s").toString());
    }

    @Test
    void peersAreResetAndToldNothing() throws Exception {
        try (JarProcess daemon = JarProcess.escrowd(directory.resolve("s"))) {
            killAndStart();
            assertTrue(daemon.isAlive());
        }
    }

    private void killAndStart() throws IOException {
        try (JarProcess server = start()) {
            String line = server.awaitLine(ImmovableServer.SERVING);
            for (Kind kind : ImmovableServer.KINDS) {
                for (int i = 0; i < EACH; i++) {
                    clients.add(open(kind, ImmovableServer.port(line, kind)));
                }
            }
            // What is not noticed by the upgrade itself is noticed with the read.
            for (int i = 0; i < clients.size(); i++) {
                int index = i;
                await().until(() -> slot(index).contains("\"immovable\""));
            }
            server.kill();
        }
        for (int i = 0; i < clients.size(); i++) {
            if (i % EACH == 0) {
                clients.get(i).getOutputStream().write(message(ImmovableServer.KINDS.get(i / EACH)));
            } else if (i % EACH == 1) {
                // Half of a frame, or of what would be a request.
                clients.get(i).getOutputStream().write('P');
            }
        }
        try (JarProcess next = start()) {
            String report = next.awaitLine(ImmovableServer.SERVING);
            for (Socket client : clients) {
                assertThrows(SocketException.class, () -> {
                    int read = client.getInputStream().read();
                    throw new AssertionError("read " + read + ", no reset, from " + client.getPort() + "; " + report);
                });
            }
            assertEquals(clients.size(), report.split("can't go on in another process", -1).length - 1, report);
            assertTrue(report.contains("left=[]"), report);
            for (int i = 0; i < clients.size(); i++) {
                int index = i;
                await().until(() -> slot(index).startsWith("HTTP/1.1 404"));
            }
            // The server goes on.
            for (Kind kind : ImmovableServer.KINDS) {
                clients.add(open(kind, ImmovableServer.port(report, kind)));
            }
        }
    }

    @Test
    void tlsPeersThatCantGoOnAreToldNothing() throws Exception {
        try (Successors server = new Successors(directory, "http-server", "--crash-safe", "--tls")) {
            // Not even the handshake has begun: it is the pipeline that counts.
            Socket client = connect(server.port());
            String line = server.killThenStart();
            assertTrue(line.contains(" 0 found after a crash"), line);
            assertEquals(-1, client.getInputStream().read());
        }
    }

    private Socket connect(int port) throws IOException {
        Socket client = new Socket(InetAddress.getLoopbackAddress(), port);
        clients.add(client);
        client.setSoTimeout(TIMEOUT_MILLIS);
        return client;
    }

    /** Connects, and returns when the connection speaks what does not outlive its process. */
    private static Socket open(Kind kind, int port) throws IOException {
        Socket client = new Socket(InetAddress.getLoopbackAddress(), port);
        client.setSoTimeout(TIMEOUT_MILLIS);
        DataInputStream in = new DataInputStream(client.getInputStream());
        switch (kind) {
            case HTTP2 -> openHttp2(client, in);
            case HTTP2_UPGRADE -> {
                send(client, HTTP2_UPGRADE);
                assertTrue(head(in).startsWith("HTTP/1.1 101 "));
                openHttp2(client, in);
            }
            case DEFLATE -> {
                send(client, WEBSOCKET_UPGRADE);
                assertTrue(head(in).contains("permessage-deflate"));
                client.getOutputStream().write(DEFLATED);
                // A text frame, deflated.
                assertEquals(0xC1, in.read());
                in.readFully(new byte[in.read()]);
            }
            case TUNNEL -> {
                send(client, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n");
                assertTrue(head(in).startsWith("HTTP/1.1 200 "));
                send(client, "hello");
                byte[] echo = new byte[5];
                in.readFully(echo);
                assertArrayEquals("hello".getBytes(US_ASCII), echo);
            }
        }
        return client;
    }

    private static byte[] message(Kind kind) {
        return switch (kind) {
            case HTTP2, HTTP2_UPGRADE -> PING;
            case DEFLATE -> DEFLATED;
            case TUNNEL -> "GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(US_ASCII);
        };
    }

    private static void openHttp2(Socket client, DataInputStream in) throws IOException {
        client.getOutputStream().write(PREFACE);
        client.getOutputStream().write(SETTINGS);
        client.getOutputStream().write(PING);
        byte[] frame = frame(in);
        while (frame[3] != 6) {
            frame = frame(in);
        }
        assertArrayEquals(PONG, frame);
    }

    private static byte[] frame(DataInputStream in) throws IOException {
        byte[] header = new byte[HTTP2_HEADER];
        in.readFully(header);
        int length = ByteBuffer.wrap(header).getInt() >>> 8;
        byte[] frame = ByteBuffer.allocate(HTTP2_HEADER + length).put(header).array();
        in.readFully(frame, HTTP2_HEADER, length);
        return frame;
    }

    private static void send(Socket client, String text) throws IOException {
        client.getOutputStream().write(text.getBytes(US_ASCII));
    }

    private static String head(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        while (!head.toString(US_ASCII).endsWith("\r\n\r\n")) {
            head.write(in.read());
        }
        return head.toString(US_ASCII);
    }

    /** Returns what the daemon says about the slot of a connection. */
    private String slot(int index) throws IOException {
        try (SocketChannel operator = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            operator.connect(UnixDomainSocketAddress.of(directory.resolve("s.ctl")));
            operator.write(
                    ByteBuffer.wrap(("GET /slots/1/" + index + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                            .getBytes(US_ASCII)));
            return new String(Channels.newInputStream(operator).readAllBytes(), US_ASCII);
        }
    }
}
