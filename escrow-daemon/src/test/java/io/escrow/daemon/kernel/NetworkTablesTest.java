package io.escrow.daemon.kernel;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetworkTablesTest {

    private Socket server;
    private Socket client;

    @BeforeEach
    void connect() throws IOException {
        Epoll.ensureAvailability();
        Socket listener = Socket.newSocketStream();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        listener.listen(1);
        client = Socket.newSocketStream();
        client.connect(listener.localAddress());
        await().until(() -> {
            int accepted = listener.accept(new byte[128]);
            server = accepted < 0 ? null : new Socket(accepted);
            return server != null;
        });
        assertTrue(client.finishConnect());
        listener.close();
    }

    @AfterEach
    void close() throws IOException {
        server.close();
        client.close();
    }

    /** In some states there is a FIN among what the kernel counts. */
    @ParameterizedTest
    @CsvSource({
        "01, 00000010:0000000B, 11, 16", // ESTABLISHED
        "0A, 00000000:00000003, 3, 0", // LISTEN
        "08, 00000010:0000000B, 10, 16", // CLOSE_WAIT
        "08, 00000010:00000000, 0, 16", // and the end was read
        "04, 00000010:0000000B, 11, 15", // FIN_WAIT1
        "05, 00000000:0000000B, 11, 0", // FIN_WAIT2
        "09, 00000010:0000000B, 10, 15", // LAST_ACK
        "0B, 00000010:0000000B, 10, 15", // CLOSING
        "01, FFFFFFFF:7FFFFFFF, 2147483647, 4294967295",
    })
    void readsLine(String state, String sizes, long unread, long unsent) {
        Map<String, NetworkTables.Queues> queues = new HashMap<>();
        NetworkTables.read(
                "   1: 0100007F:1F90 0100007F:C350 " + state + " " + sizes
                        + " 00:00000000 00000000  1000        0 4711 1 0000000000000000 20 4 30 10 -1",
                queues);

        assertEquals(Map.of("socket:[4711]", new NetworkTables.Queues(unread, unsent)), queues);
    }

    @Test
    void readsLinesOfOtherTables() {
        Map<String, NetworkTables.Queues> queues = new HashMap<>();
        NetworkTables.read(
                "  17: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A"
                        + " 00000000:00000002 00:00000000 00000000     0        0 12 1 0000000000000000 100 0 0 10 0",
                queues);
        NetworkTables.read(
                " 1234: 00000000:0044 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 34 2"
                        + " 0000000000000000 5",
                queues);
        NetworkTables.read("garbage", queues);

        assertEquals(
                Map.of("socket:[12]", new NetworkTables.Queues(2, 0), "socket:[34]", new NetworkTables.Queues(768, 0)),
                queues);
    }

    @Test
    void countsWhatIsUnreadAlsoBehindTheEnd() throws IOException {
        write(client, 1_000);
        await().until(() -> of(server).equals(new NetworkTables.Queues(1_000, 0)));
        client.shutdown(false, true);
        write(server, 7);
        await().until(() -> new SocketInfo(server.intValue()).state().equals("CLOSE_WAIT"));
        await().until(() -> of(client).unread() == 7);

        assertEquals(1_000, of(server).unread());
    }

    /** What the one end has sent is either with the other, or still unsent, also when there is an end behind it. */
    @Test
    void countsWhatIsUnsent() throws IOException {
        int written = 0;
        for (int n = 1; n > 0; written += n) {
            n = write(server, 65_536);
        }
        int all = written;
        await().until(() -> of(server).unsent() + of(client).unread() == all);
        assertTrue(of(server).unsent() > 0);

        server.shutdown(false, true);
        await().until(() -> new SocketInfo(server.intValue()).state().equals("FIN_WAIT1"));
        await().until(() -> of(server).unsent() + of(client).unread() == all);
    }

    private static int write(Socket socket, int length) throws IOException {
        return socket.write(ByteBuffer.allocateDirect(length), 0, length);
    }

    private static NetworkTables.Queues of(Socket socket) {
        return NetworkTables.queues().get(ProcDescriptors.name(socket.intValue()));
    }
}
