package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.testing.Successors;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.file.Path;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(180)
class UdpEchoIT {

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"--drain=10", "--crash-safe"})
    void noDatagramIsLost(String option) throws Exception {
        try (Successors server = new Successors(directory, "udp-echo", option);
                DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(30_000);
            for (int i = 0; i < 4; i++) {
                send(socket, server.port(), "before " + i);
                assertEquals("before " + i, receive(socket));
                if (i % 2 == 0) {
                    server.waitThenEnd();
                } else {
                    server.endThenStart();
                }
            }
            if (option.equals("--crash-safe")) {
                send(socket, server.port(), "last");
                assertEquals("last", receive(socket));
                server.killThenStart();
            }
            send(socket, server.port(), "after");
            assertEquals("after", receive(socket));
        }
    }

    private static void send(DatagramSocket socket, int port, String text) throws IOException {
        byte[] bytes = text.getBytes(US_ASCII);
        socket.send(new DatagramPacket(bytes, bytes.length, InetAddress.getLoopbackAddress(), port));
    }

    private static String receive(DatagramSocket socket) throws IOException {
        DatagramPacket packet = new DatagramPacket(new byte[100], 100);
        socket.receive(packet);
        return new String(packet.getData(), 0, packet.getLength(), US_ASCII);
    }
}
