package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.Status;
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
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Meets a process before that lives, and takes no link, or loses it. */
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
            CompletableFuture<WaveReceiver> meeting = meet(loop, meetingPoint.one(), Duration.ofSeconds(10));
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

    private static CompletableFuture<WaveReceiver> meet(EventLoop loop, int end, Duration patience) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return WaveReceiver.meet(loop, end, patience);
            } catch (EscrowException e) {
                throw new CompletionException(e);
            }
        });
    }

    /** One that can open no more files loses what is sent to it, and the link ends without an answer. */
    @Test
    @Timeout(60)
    void oneThatLosesTheLinkIsNotTakenForDead() throws Exception {
        EventLoopGroup group = EventLoopGroups.epoll(1, "wave-receiver-test");
        SocketPair meetingPoint = SocketPair.open();
        Socket theirs = new Socket(meetingPoint.other());
        try {
            CompletableFuture<WaveReceiver> meeting = meet(group.next(), meetingPoint.one(), Duration.ofDays(1));
            for (int i = 0; i < 3; i++) {
                new Socket(receive(theirs)).close();
            }
            ProcessLink link = new ProcessLink(group.next(), receive(theirs));
            assertFalse(meeting.isDone());
            link.send(ProcessLink.Kind.WELCOME, 0, ProtocolVersion.OWN.encode());
            try (WaveReceiver receiver = meeting.get(10, TimeUnit.SECONDS)) {
                assertTrue(receiver.isWelcome());
            }
        } finally {
            theirs.close();
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    @Test
    @Timeout(60)
    void theStartFailsIfAProcessThatLivesCanNotBeMet() throws Exception {
        EventLoopGroup group = EventLoopGroups.epoll(1, "wave-receiver-test");
        SocketPair meetingPoint = SocketPair.open();
        Socket theirs = new Socket(meetingPoint.other());
        try {
            fill(new Socket(meetingPoint.one()));
            EscrowException failure = assertThrows(
                    EscrowException.class,
                    () -> WaveReceiver.meet(group.next(), meetingPoint.one(), Duration.ofMillis(20)));
            assertEquals(Status.ETIMEDOUT, failure.status());
            assertTrue(
                    failure.text().startsWith("the process before lives, and could not be met within 20 ms"),
                    failure::text);
        } finally {
            theirs.close();
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    @Test
    void oneThatHasEndedIsNotMet() throws Exception {
        EventLoopGroup group = EventLoopGroups.epoll(1, "wave-receiver-test");
        SocketPair meetingPoint = SocketPair.open();
        new Socket(meetingPoint.other()).close();
        try {
            assertNull(WaveReceiver.meet(group.next(), meetingPoint.one(), Duration.ofDays(1)));
        } finally {
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
