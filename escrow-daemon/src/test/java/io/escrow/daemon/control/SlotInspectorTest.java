package io.escrow.daemon.control;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.OwnedDescriptor;
import io.escrow.control.SlotDetails;
import io.escrow.control.SlotView;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.socket.SocketPublication;
import io.escrow.daemon.store.RetainedSlot;
import io.escrow.daemon.store.StoredSlot;
import io.escrow.testing.TestConnection;
import io.escrow.testing.TestFile;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.Native;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is told of descriptors of all kinds; each is left as it was. */
class SlotInspectorTest {

    private static final InetSocketAddress LOOPBACK = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    private static final String SELF = "pid " + ProcessHandle.current().pid();

    static {
        Epoll.ensureAvailability();
    }

    @TempDir
    Path directory;

    private final List<OwnedDescriptor> open = new ArrayList<>();

    @AfterEach
    void close() {
        open.forEach(OwnedDescriptor::release);
    }

    @Test
    void slotWithoutDescriptor() throws IOException {
        PeerIdentity owner = new PeerIdentity(4_711, 1_000, 100);
        long anHourAgo = System.currentTimeMillis() - 3_600_000;
        StoredSlot slot = new StoredSlot(-1, new byte[] {1, 2}, new byte[] {3}, true, null, owner, anHourAgo);

        SlotDetails details = details(slot);
        SlotView view = details.slot();
        assertEquals("none", view.kind());
        assertEquals(2, view.payloadBytes());
        assertEquals(1, view.farewellBytes());
        assertEquals(4_711, view.pid());
        assertEquals(1_000, view.uid());
        assertTrue(view.ageSeconds() >= 3_600, view::toString);
        assertNull(view.listener());
        assertNull(view.origin());
        assertEquals(-1, details.number());
        assertTrue(details.keepFlags());
        assertEquals(Map.of(), details.descriptor());
        assertNull(details.sections());
        assertNull(details.payload(), "it is sent apart");
        assertNull(details.farewell());
    }

    @Test
    void tcpListenerWithConnectionThatWaits() throws IOException {
        Socket listener = Socket.newSocketStream();
        listener.bind(LOOPBACK);
        listener.listen(8);
        Socket client = Socket.newSocketStream();
        client.connect(listener.localAddress());
        await().until(client::finishConnect);

        assertView("tcp-listener", local(listener), null, "LISTEN", 1L, 0L, view(listener));
        client.close();
    }

    @Test
    void tcpConnection() throws IOException {
        try (TestConnection connection = TestConnection.tcp()) {
            String peer = connection.peer().getLocalAddress().toString().replaceFirst("^.*/", "");
            connection.peerSends((byte) 1, (byte) 2, (byte) 3);
            String local = local(connection.server());
            OwnedDescriptor descriptor = own(connection.server());
            await().until(() -> view(descriptor).unread() == 3);

            assertView("tcp", local, peer, "ESTABLISHED", 3L, 0L, view(descriptor));
            Map<String, String> details = details(slot(descriptor)).descriptor();
            assertTrue(details.get("open file").startsWith("socket:["), details::toString);
            assertTrue(details.get("send buffer").matches("\\d+ bytes"), details::toString);
            assertTrue(details.get("round trip").matches("\\d+\\.\\d+ ms"), details::toString);
            assertEquals("off", details.get("linger"));
            assertEquals("", details.get("also open in"));
            assertEquals(3, connection.server().read(ByteBuffer.allocateDirect(9), 0, 9));
        }
    }

    @Test
    void tcpThatIsNotConnected() throws IOException {
        assertEquals("CLOSE", view(Socket.newSocketStream()).state());
    }

    @Test
    void udp() throws IOException {
        Socket socket = Socket.newSocketDgram();
        socket.bind(LOOPBACK);
        Socket connected = Socket.newSocketDgram();
        connected.connect(socket.localAddress());

        assertView("udp", local(socket), null, null, 0L, 0L, view(socket));
        SlotView view = view(connected);
        assertEquals(local(socket), view.peer());
        assertEquals("udp", view.kind());
    }

    @Test
    void unixConnection() throws IOException {
        Path path = directory.resolve("c");
        try (TestConnection connection = TestConnection.unix(path)) {
            OwnedDescriptor descriptor = own(connection.server());
            assertView("unix", path.toString(), SELF, "CONNECTED", null, null, view(descriptor));

            connection.peerSends((byte) 1);
            connection.peerCloses();
            await().until(() -> view(descriptor).state().equals("HUNG_UP"));
            assertEquals(1, connection.server().read(ByteBuffer.allocateDirect(9), 0, 9));
        }
    }

    @Test
    void unixListeners() throws IOException {
        Socket listener = Socket.newSocketDomain();
        listener.bind(new DomainSocketAddress(directory + "/l"));
        listener.listen(1);
        Socket hidden = Socket.newSocketDomain();
        hidden.bind(new DomainSocketAddress("\0escrow" + ProcessHandle.current().pid()));
        hidden.listen(1);

        assertView("unix-listener", directory + "/l", null, "LISTEN", null, null, view(listener));
        String name = "@escrow" + ProcessHandle.current().pid();
        assertView("unix-listener", name, null, "LISTEN", null, null, view(hidden));
    }

    @Test
    void unixOthers() throws IOException {
        Socket datagrams = Socket.newSocketDomainDgram();
        datagrams.bind(new DomainSocketAddress(directory + "/d"));

        assertView("unix-datagram", directory + "/d", null, null, null, null, view(datagrams));
        assertView("unix", null, null, "UNCONNECTED", null, null, view(Socket.newSocketDomain()));
    }

    @Test
    void filesAndDevices() throws IOException {
        TestFile file = new TestFile(directory, "f");
        assertFile("file", directory.toRealPath() + "/f", file.open());
        assertFile("character-device", "/dev/null", FileDescriptor.from("/dev/null"));

        FileDescriptor deleted = file.open();
        Files.delete(directory.resolve("f"));
        assertFile("file", directory.toRealPath() + "/f (deleted)", deleted);
    }

    @Test
    void directory() throws IOException {
        try (FileChannel opened = FileChannel.open(directory, StandardOpenOption.READ)) {
            assertTrue(opened.isOpen());
            Path number = Path.of(SocketPublication.descriptorPath(directory.toRealPath()))
                    .getFileName();
            OwnedDescriptor descriptor = new OwnedDescriptor(Integer.parseInt(number.toString()));

            assertView("directory", directory.toRealPath().toString(), null, null, null, null, view(descriptor));
            descriptor.detach();
        }
    }

    @Test
    void pipesAndOthersWithoutName() throws IOException {
        FileDescriptor[] pipe = FileDescriptor.pipe();
        assertEquals("pipe", view(own(pipe[0])).kind());
        assertTrue(view(own(pipe[1])).local().startsWith("pipe:["));
        assertFile("eventfd", "anon_inode:[eventfd]", Native.newEventFd());
        assertFile("eventpoll", "anon_inode:[eventpoll]", Native.newEpollCreate());
    }

    /** Which can't happen, as it is held; but if it does, it is the end of this line and not of the list. */
    @Test
    void whatIsNotOpen() throws IOException {
        OwnedDescriptor closed = new OwnedDescriptor(1_000_000_000);
        SlotView view = view(slot(closed));
        closed.detach();

        assertEquals("unknown", view.kind());
    }

    @Test
    void payloadThatLooksLikeNothing() throws IOException {
        byte[] payload = new byte[300];
        SlotDetails details = details(new StoredSlot(-1, payload, null));

        assertNull(details.sections());
        assertNull(details.slot().origin());
    }

    @Test
    void recordOfALaterVersion() throws IOException {
        SlotDetails details = details(new StoredSlot(-1, new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 9}, null));

        assertEquals("later version", details.slot().origin());
        assertNull(details.slot().listener());
    }

    private static String local(Socket socket) {
        return "127.0.0.1:" + socket.localAddress().getPort();
    }

    private OwnedDescriptor own(FileDescriptor descriptor) {
        OwnedDescriptor owned = new OwnedDescriptor(descriptor.intValue());
        open.add(owned);
        return owned;
    }

    private static StoredSlot slot(OwnedDescriptor descriptor) {
        return new StoredSlot(5, new byte[0], descriptor);
    }

    private SlotView view(Socket socket) {
        return view(own(socket));
    }

    private static SlotView view(OwnedDescriptor descriptor) {
        return view(slot(descriptor));
    }

    private static SlotView view(StoredSlot slot) {
        try (SlotInspector inspection = new SlotInspector()) {
            return inspection.view(new RetainedSlot(1, 2, slot));
        }
    }

    private static SlotDetails details(StoredSlot slot) throws IOException {
        try (SlotInspector inspection = new SlotInspector()) {
            return inspection.details(new RetainedSlot(1, 2, slot));
        }
    }

    private void assertFile(String kind, String name, FileDescriptor descriptor) throws IOException {
        OwnedDescriptor owned = own(descriptor);
        assertView(kind, name, null, null, null, null, view(owned));
        assertEquals(name, details(slot(owned)).descriptor().get("open file"));
    }

    private static void assertView(
            String kind, String local, String peer, String state, Long unread, Long unsent, SlotView view) {
        assertEquals(kind, view.kind());
        assertEquals(local, view.local());
        assertEquals(peer, view.peer());
        assertEquals(state, view.state());
        assertEquals(unread, view.unread());
        assertEquals(unsent, view.unsent());
        assertEquals(1, view.tag());
        assertEquals(2, view.index());
    }
}
