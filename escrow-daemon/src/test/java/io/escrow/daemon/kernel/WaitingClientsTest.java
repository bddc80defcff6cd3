package io.escrow.daemon.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WaitingClientsTest {

    static {
        Epoll.ensureAvailability();
    }

    @TempDir
    Path directory;

    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    @Test
    void countsThoseWhoWereNotAccepted() throws IOException {
        String path = directory + "/ü";
        Socket listener = listen(path);
        assertEquals(0, WaitingClients.at(path));

        for (int i = 0; i < 3; i++) {
            connect(path);
        }
        assertEquals(3, WaitingClients.at(path));

        Socket accepted = new Socket(listener.accept(new byte[128]));
        open.add(accepted::close);
        assertEquals(2, WaitingClients.at(path));
    }

    @Test
    void countsNobodyWhoWaitsForAnother() throws IOException {
        String path = directory + "/s";
        listen(path);
        for (String other : new String[] {directory + "/a s", "\0x " + path}) {
            listen(other);
            connect(other);
        }

        assertEquals(0, WaitingClients.at(path));
        assertEquals(0, WaitingClients.at("s"));
    }

    private Socket listen(String address) throws IOException {
        Socket listener = Socket.newSocketDomain();
        open.add(listener::close);
        listener.bind(new DomainSocketAddress(address));
        listener.listen(8);
        return listener;
    }

    private void connect(String address) throws IOException {
        Socket client = Socket.newSocketDomain();
        open.add(client::close);
        assertTrue(client.connect(new DomainSocketAddress(address)));
    }
}
