package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.OwnedDescriptor;
import io.escrow.client.EscrowClient;
import io.escrow.handover.connection.FoundMarks;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.link.ProtocolVersion;
import io.escrow.handover.link.SocketPair;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.LogLines;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.unix.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A process before breaks off, lives on, and takes no link any more. */
class WaveReceiverTest {

    @Test
    @Timeout(60)
    void leavesTheRestToAProcessThatCanNotBeMetAgain() throws Exception {
        EventLoopGroup group = EventLoopGroups.epoll(1, "wave-receiver-test");
        EventLoop loop = group.next();
        SocketPair meetingPoint = SocketPair.open();
        SocketPair connection = SocketPair.open();
        Socket theirs = new Socket(meetingPoint.other());
        HandoverContext server = HandoverContext.of(ServerHandover.with(
                        EscrowClient.builder().path("/does/not/exist").connectTimeout(Duration.ofMillis(20)))
                .configuration(new ListenerDescriptions().frozen()));
        Map<Integer, Entry> entries = new HashMap<>();
        entries.put(7, new Entry(1, 7, connection.other(), Deposit.NO_BYTES, new OwnedDescriptor(connection.other())));
        StartNotes notes = new StartNotes();
        ConnectionAdopter adopter = new ConnectionAdopter(server, notes, new FoundMarks());

        try (LogLines log = new LogLines(ServerHandover.class)) {
            CompletableFuture<WaveReceiver> meeting =
                    CompletableFuture.supplyAsync(() -> WaveReceiver.meet(loop, meetingPoint.one()));
            ProcessLink link = new ProcessLink(loop, receive(theirs));
            link.send(ProcessLink.Kind.WELCOME, 0, ProtocolVersion.OWN.encode());
            try (WaveReceiver receiver = meeting.get(10, TimeUnit.SECONDS)) {
                assertTrue(receiver.isWelcome());
                fill(new Socket(meetingPoint.one()));
                link.close();

                assertFalse(receiver.takeAll(server, adopter, notes, entries));
            }
            assertEquals(1, log.count("WARN", "could not be met again within 20 ms"));
            assertFalse(entries.get(7).hasDescriptor());
        } finally {
            theirs.close();
            new Socket(connection.one()).close();
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    private static int receive(Socket socket) throws Exception {
        int received = socket.recvFd();
        while (received == 0) {
            Thread.onSpinWait();
            received = socket.recvFd();
        }
        return received;
    }

    private static void fill(Socket socket) throws Exception {
        ByteBuffer bytes = ByteBuffer.allocateDirect(1024);
        int written = 1;
        while (written > 0) {
            written = socket.write(bytes, 0, bytes.capacity());
        }
    }
}
