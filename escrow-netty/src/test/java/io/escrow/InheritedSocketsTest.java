package io.escrow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.InheritedSocket.Kind;
import io.escrow.testing.TestFile;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InheritedSocketsTest {

    private static final int O_NONBLOCK = 04000;
    private static final long PID = 17;

    @TempDir
    Path directory;

    @BeforeAll
    static void loadNativeLibrary() {
        Epoll.ensureAvailability();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', nullValues = "-", textBlock = """
            17 | 2 | http:web.socket | {3=http, 4=web.socket}
            17 | 1 | ''              | {3=}
            17 | 2 | -               | {3=unknown, 4=unknown}
            17 | 0 | -               | {}
            17 | - | -               | {}
            18 | 2 | http:web.socket | {}
            18 | x | -               | {}
            -  | 2 | http:web.socket | {}
            """)
    void readsWhatIsMeantForThisProcess(String pid, String count, String names, String expected)
            throws EscrowException {
        assertEquals(
                expected,
                InheritedSockets.parse(environment(pid, count, names), PID).toString());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', nullValues = "-", textBlock = """
            me | 1    | -   | LISTEN_PID: "me" (expected: 1..2147483647)
            0  | 1    | -   | LISTEN_PID: "0" (expected: 1..2147483647)
            17 | -1   | -   | LISTEN_FDS: "-1" (expected: 0..4096)
            17 | 4097 | -   | LISTEN_FDS: "4097" (expected: 0..4096)
            17 | one  | -   | LISTEN_FDS: "one" (expected: 0..4096)
            17 | 2    | a   | LISTEN_FDNAMES: "a" (expected: 2 names)
            17 | 1    | a:b | LISTEN_FDNAMES: "a:b" (expected: 1 names)
            """)
    void namesTheValueThatIsWrong(String pid, String count, String names, String text) {
        EscrowException e =
                assertThrows(EscrowException.class, () -> InheritedSockets.parse(environment(pid, count, names), PID));

        assertEquals(text, e.text());
    }

    private static Map<String, String> environment(String pid, String count, String names) {
        Map<String, String> environment = new HashMap<>();
        environment.put("LISTEN_PID", pid);
        environment.put("LISTEN_FDS", count);
        environment.put("LISTEN_FDNAMES", names);
        return environment;
    }

    @Test
    void isTheSameForWholeProcess() throws EscrowException {
        assertSame(InheritedSockets.ofThisProcess(), InheritedSockets.ofThisProcess());
    }

    /** Netty would block its event loop in accept(2) otherwise. */
    @Test
    void handsOutSocketOnceAndMakesItNonBlocking() throws IOException {
        try (ServerSocketChannel blocking = ServerSocketChannel.open()) {
            blocking.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            int number = find(blocking.getLocalAddress().toString());
            InheritedSockets sockets = new InheritedSockets(Map.of(number, "http"));
            assertEquals(0, flags(number) & O_NONBLOCK);

            assertEquals(number, sockets.take(number));

            assertEquals(O_NONBLOCK, flags(number) & O_NONBLOCK);
            assertEquals(List.of(), sockets.left());
            assertEquals(List.of(), List.copyOf(sockets.closeRest()));
            assertThrows(IllegalArgumentException.class, () -> sockets.take(number));
        }
    }

    @Test
    void aDuplicateLeavesTheSocket() throws IOException {
        try (ServerSocketChannel blocking = ServerSocketChannel.open()) {
            blocking.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            int number = find(blocking.getLocalAddress().toString());
            InheritedSockets sockets = new InheritedSockets(Map.of(number, "http"));

            int duplicate = sockets.duplicate(number);

            assertEquals(
                    blocking.getLocalAddress(),
                    InheritedSocket.look(duplicate, "").address());
            assertEquals(O_NONBLOCK, flags(duplicate) & O_NONBLOCK);
            new FileDescriptor(duplicate).close();
            assertEquals(1, sockets.left().size());
            assertEquals(number, sockets.take(number));
            assertThrows(IllegalArgumentException.class, () -> sockets.duplicate(number));
        }
    }

    private static int find(String address) {
        return IntStream.range(3, 10_000)
                .filter(n ->
                        String.valueOf(InheritedSocket.look(n, "").address()).equals(address))
                .findFirst()
                .orElseThrow();
    }

    private static int flags(int number) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/fdinfo/" + number)).stream()
                .filter(line -> line.startsWith("flags:"))
                .mapToInt(line ->
                        Integer.parseInt(line.substring("flags:".length()).strip(), 8))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void leavesWhatIsNoSocketAndClosesIt() throws IOException {
        TestFile file = new TestFile(directory, "file");
        FileDescriptor descriptor = file.open();
        InheritedSockets sockets = new InheritedSockets(Map.of(descriptor.intValue(), "f"));

        EscrowException e = assertThrows(EscrowException.class, () -> sockets.take(descriptor.intValue()));

        assertTrue(
                e.text()
                        .startsWith("inherited descriptor " + descriptor.intValue()
                                + " \"f\" (something else) can't be used as a socket: "),
                e.text());
        assertEquals(1, file.openCount());
        assertEquals(1, sockets.closeRest().size());
        assertEquals(0, file.openCount());
    }

    @Test
    void tellsWhatTheyAre() throws IOException {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        DomainSocketAddress path =
                new DomainSocketAddress(directory.resolve("s").toString());
        Socket unix = Socket.newSocketDomain();
        Socket tcp = Socket.newSocketStream();
        Socket udp = Socket.newSocketDgram();
        Socket datagrams = Socket.newSocketDomainDgram();
        try {
            unix.bind(path);
            assertEquals(Kind.OTHER, look(unix).kind());
            unix.listen(1);
            assertEquals(new InheritedSocket(unix.intValue(), "s", Kind.UNIX_LISTENER, path), look(unix));
            tcp.bind(any);
            assertEquals(Kind.OTHER, look(tcp).kind());
            tcp.listen(1);
            assertEquals(new InheritedSocket(tcp.intValue(), "s", Kind.TCP_LISTENER, tcp.localAddress()), look(tcp));
            udp.bind(any);
            assertEquals(new InheritedSocket(udp.intValue(), "s", Kind.UDP, udp.localAddress()), look(udp));
            assertEquals(Kind.OTHER, look(datagrams).kind());
        } finally {
            for (Socket socket : List.of(unix, tcp, udp, datagrams)) {
                socket.close();
            }
        }
    }

    private static InheritedSocket look(Socket socket) {
        return InheritedSocket.look(socket.intValue(), "s");
    }

    @Test
    void tellsThatDescriptorIsNotOpen() {
        InheritedSocket closed = InheritedSocket.look(999_999, "");

        assertEquals("inherited descriptor 999999 (something else)", closed.toString());
    }
}
