package io.escrow.daemon.kernel;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.OwnedDescriptor;
import io.escrow.testing.TestConnection;
import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HangupDetectorTest {

    private static final int CLOSE_WAIT = 8;

    private final HangupDetector hangups = new HangupDetector();
    private final List<OwnedDescriptor> looked = new ArrayList<>();

    @TempDir
    Path directory;

    @AfterEach
    void close() {
        hangups.close();
        looked.forEach(OwnedDescriptor::release);
    }

    @Test
    void findsPeersThatHaveGone() throws IOException {
        try (TestConnection reset = TestConnection.tcp();
                TestConnection closed = TestConnection.tcp();
                TestConnection unix = TestConnection.unix(directory.resolve("c"))) {
            look(reset);
            look(closed);
            look(unix);
            reset.peerSends((byte) 1, (byte) 2);
            reset.peerResets();
            closed.server().shutdown(false, true);
            closed.peerCloses();
            unix.peerSends((byte) 1, (byte) 2);
            unix.peerCloses();

            await().until(() -> gone().equals(Set.copyOf(looked)));

            assertStillReads(2, reset);
            assertStillReads(2, unix);
        }
    }

    @Test
    void leavesPeersThatOnlySendNoMore() throws IOException {
        try (TestConnection tcp = TestConnection.tcp();
                TestConnection closed = TestConnection.tcp();
                TestConnection unix = TestConnection.unix(directory.resolve("c"))) {
            look(tcp);
            look(closed);
            look(unix);
            tcp.peerSends((byte) 1);
            tcp.peer().shutdownOutput();
            // Its FIN is all that the kernel can know.
            closed.peerCloses();
            unix.peerSends((byte) 1);
            unix.peer().shutdownOutput();
            await().until(() -> tcpState(tcp) == CLOSE_WAIT && tcpState(closed) == CLOSE_WAIT);

            assertEquals(Set.of(), gone());
            assertStillReads(1, tcp);
            assertStillReads(1, unix);
        }
    }

    @Test
    void leavesPeersThatAreThere() throws IOException {
        try (TestConnection tcp = TestConnection.tcp();
                TestConnection ended = TestConnection.tcp();
                TestConnection unix = TestConnection.unix(directory.resolve("c"));
                TestConnection endedUnix = TestConnection.unix(directory.resolve("d"))) {
            look(tcp);
            look(ended);
            look(unix);
            look(endedUnix);
            tcp.peerSends((byte) 1);
            ended.server().shutdown(false, true);
            endedUnix.server().shutdown(false, true);

            assertEquals(Set.of(), gone());
            assertStillReads(1, tcp);
        }
    }

    @Test
    void leavesWhatHasNoPeer() throws IOException {
        look(new TestFile(directory, "a").openOwned());
        look(Socket.newSocketStream());
        look(Socket.newSocketDomain());
        look(Socket.newSocketDgram());
        Socket bound = Socket.newSocketStream();
        bound.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        look(bound);
        Socket listener = Socket.newSocketStream();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        listener.listen(1);
        look(listener);
        FileDescriptor[] pipe = FileDescriptor.pipe();
        pipe[1].close();
        look(pipe[0]);

        assertEquals(Set.of(), gone());
    }

    @Test
    void findsManyAtOnce() throws IOException {
        for (int i = 0; i < 300; i++) {
            try (TestConnection gone = TestConnection.unix(directory.resolve("c" + i))) {
                look(gone);
            }
        }

        assertEquals(Set.copyOf(looked), gone());
        assertEquals(Set.copyOf(looked), gone());
    }

    private Set<OwnedDescriptor> gone() {
        return hangups.gone(looked);
    }

    private void look(TestConnection connection) {
        looked.add(connection.owned());
    }

    private void look(FileDescriptor descriptor) {
        looked.add(descriptor instanceof OwnedDescriptor owned ? owned : new OwnedDescriptor(descriptor.intValue()));
    }

    /** Returns the first byte of struct tcp_info, tcp(7). */
    private static int tcpState(TestConnection connection) throws IOException {
        ByteBuffer info = ByteBuffer.allocateDirect(1);
        connection.server().getRawOpt(6, 11, info);
        return info.get(0);
    }

    private static void assertStillReads(int expected, TestConnection connection) throws IOException {
        assertEquals(expected, connection.server().read(ByteBuffer.allocateDirect(8), 0, 8));
    }
}
