package io.escrow.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PauseClientsTest {

    private static final int CLIENTS = 20;

    @Test
    void closedClientsLeaveNoDescriptorOpen() throws Exception {
        try (ServerSocket server = new ServerSocket(0, CLIENTS, InetAddress.getLoopbackAddress())) {
            connectAndClose(server);
            long before = openDescriptors();
            connectAndClose(server);
            assertEquals(before, openDescriptors());
        }
    }

    private static void connectAndClose(ServerSocket server) throws InterruptedException, IOException {
        try (PauseClients clients = new PauseClients(null, false)) {
            clients.connect(server.getLocalPort(), CLIENTS);
        }
        for (int i = 0; i < CLIENTS; i++) {
            server.accept().close();
        }
    }

    private static long openDescriptors() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.count();
        }
    }
}
