package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import io.netty.handler.codec.mqtt.MqttDecoder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills a server in the middle of messages: what was in the middle is reset, and what was not goes on. */
class InterruptedIT {

    private static final int TIMEOUT_MILLIS = 60_000;

    private static final String REQUEST = "GET /get HTTP/1.1\r\nHost: x\r\n\r\n";
    private static final String ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    /** What looks like a request, in the middle of a body. */
    private static final String SMUGGLED = REQUEST.replace("/get", "/smuggled");

    private static final String POST =
            "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: " + (1 + SMUGGLED.length()) + "\r\n\r\nx";

    private static final String UPGRADE = """
            GET /ws HTTP/1.1\r
            Host: x\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \r
            """;

    private static final byte[] MESSAGE = {(byte) 0x81, (byte) 0x81, 0, 0, 0, 0, 'x'};
    private static final byte[] FRAGMENT = {0x01, (byte) 0x81, 0, 0, 0, 0, 'x'};
    private static final byte[] CONNECT = {0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'm', 'e'};
    private static final byte[] PING = {(byte) 0xC0, 0};

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
                List.of(MqttDecoder.class),
                InterruptedServer.class,
                directory.resolve("s").toString());
    }

    private Socket connect(String line, int listener) throws IOException {
        int port = Integer.parseInt(line.split(" ", -1)[1 + listener]);
        Socket client = new Socket(InetAddress.getLoopbackAddress(), port);
        clients.add(client);
        client.setSoTimeout(TIMEOUT_MILLIS);
        client.setTcpNoDelay(true);
        return client;
    }

    private Socket http(String line, String request) throws IOException {
        Socket client = connect(line, 0);
        send(client, request.getBytes(US_ASCII));
        return client;
    }

    private Socket webSocket(String line) throws IOException {
        Socket client = http(line, UPGRADE);
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            head.append((char) client.getInputStream().read());
        }
        assertTrue(head.toString().startsWith("HTTP/1.1 101 "), head::toString);
        return client;
    }

    private Socket mqtt(String line, JarProcess server, int count) throws IOException {
        Socket client = connect(line, 1);
        send(client, CONNECT);
        awaitGot(server, "CONNECT", count);
        return client;
    }

    private static void send(Socket client, byte[] bytes) throws IOException {
        client.getOutputStream().write(bytes);
    }

    private static void awaitGot(JarProcess server, String what, int count) {
        await().atMost(60, TimeUnit.SECONDS)
                .until(() -> Collections.frequency(server.lines(), InterruptedServer.GOT + what) == count);
    }

    private static void assertReceives(Socket client, String expected) throws IOException {
        assertEquals(expected, new String(client.getInputStream().readNBytes(expected.length()), US_ASCII));
    }

    @Test
    void onlyWhatWasInTheMiddleIsReset() throws Exception {
        try (JarProcess daemon = JarProcess.escrowd(directory.resolve("s"))) {
            killAndStart();
            assertTrue(daemon.isAlive());
        }
    }

    private void killAndStart() throws Exception {
        List<Socket> middle = new ArrayList<>();
        Socket http;
        Socket webSocket;
        Socket mqtt;
        try (JarProcess server = start()) {
            String line = server.awaitLine(InterruptedServer.SERVING);
            http = http(line, REQUEST);
            assertReceives(http, ANSWER);
            webSocket = webSocket(line);
            mqtt = mqtt(line, server, 1);

            middle.add(http(line, POST));
            middle.add(http(line, REQUEST.replace("/get", "/poll")));
            middle.add(http(line, REQUEST.replace("/get", "/chunks")));
            Socket fragmented = webSocket(line);
            send(fragmented, FRAGMENT);
            middle.add(fragmented);
            Socket halfPacket = mqtt(line, server, 2);
            send(halfPacket, new byte[] {PING[0]});
            middle.add(halfPacket);
            for (String got : List.of("/post", "/poll", "/chunks", "a frame")) {
                awaitGot(server, got, 1);
            }
            // It has read the half packet when it has answered what was sent later, and looks at all of them in turn.
            send(http, REQUEST.getBytes(US_ASCII));
            assertReceives(http, ANSWER);
            server.awaitAsleep();
            server.kill();
        }
        send(middle.get(0), SMUGGLED.getBytes(US_ASCII));
        try (JarProcess next = start()) {
            String line = next.awaitLine(InterruptedServer.SERVING);
            for (Socket client : middle) {
                assertThrows(
                        SocketException.class, () -> client.getInputStream().readAllBytes(), line);
            }
            assertEquals(middle.size(), line.split("in the middle of a message", -1).length - 1, line);
            assertTrue(line.contains("foundAfterCrash=3,"), line);
            assertTrue(line.contains("left=[]"), line);
            send(http, REQUEST.getBytes(US_ASCII));
            assertReceives(http, ANSWER);
            send(webSocket, MESSAGE);
            assertEquals(0x81, webSocket.getInputStream().read());
            assertEquals(2, webSocket.getInputStream().read());
            assertReceives(webSocket, "ok");
            send(mqtt, PING);
            awaitGot(next, "PINGREQ", 1);
            assertFalse(next.lines().toString().contains("/smuggled"), next.lines()::toString);
        }
    }
}
