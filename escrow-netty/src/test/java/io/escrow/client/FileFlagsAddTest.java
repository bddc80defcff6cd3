package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Adds a device, which blocks and must go on doing so, to daemons that can and can't receive it as it is. */
class FileFlagsAddTest {

    private static final Frame OK = new Frame.Reply(Status.OK, "");
    private static final FileDescriptor CLOSED = new FileDescriptor(1_000_000);

    private final EmbeddedChannel channel = new EmbeddedChannel();
    private FileDescriptor device;

    @BeforeEach
    void open() throws IOException {
        Epoll.ensureAvailability();
        device = FileDescriptor.from("/dev/null");
    }

    @AfterEach
    void close() throws IOException {
        device.close();
        assertFalse(channel.finish());
    }

    private EscrowClient client(boolean daemonKeepsFlags) {
        return EmbeddedClient.on(channel, new Frame.Hello(Frame.VERSION, daemonKeepsFlags, Limits.DEFAULT));
    }

    private void answer(Frame... answers) {
        channel.writeInbound((Object[]) answers);
        channel.writeInbound(PacketEnd.INSTANCE);
    }

    @Test
    void refusesWhatTheDaemonWouldChange() {
        CompletableFuture<Void> refused = client(false).add(1, 1, device, new byte[0]);
        channel.runPendingTasks();

        assertNull(channel.readOutbound());
        CompletionException e = assertThrows(CompletionException.class, refused::join);
        assertEquals(
                "EOPNOTSUPP: descriptor " + device.intValue() + " (/dev/null) would become non-blocking for all"
                        + " processes that share it: escrowd can't use io_uring, which keeps the flags",
                assertInstanceOf(EscrowException.class, e.getCause()).getMessage());
    }

    @Test
    void refusesNoMoreOfManyThanItMust() {
        List<Deposit> deposits = List.of(new Deposit(1, 2, device), new Deposit(1, 3, CLOSED));
        CompletableFuture<BulkResult> result = client(false).addAll(deposits.iterator());
        channel.runPendingTasks();

        Frame.Add sent = channel.readOutbound();
        assertEquals(3, sent.index());
        assertFalse(sent.keepFlags());
        answer(OK);
        assertEquals(Set.of(new SlotKey(1, 2)), result.join().failures().keySet());
        assertEquals(1, result.join().succeeded());
    }

    @Test
    void marksWhatTheDaemonMustNotChange() {
        EscrowClient client = client(true);
        client.add(1, 1, device, new byte[0]);
        client.add(1, 2, CLOSED, new byte[0]);
        channel.runPendingTasks();

        assertEquals(true, ((Frame.Add) channel.readOutbound()).keepFlags());
        assertEquals(false, ((Frame.Add) channel.readOutbound()).keepFlags());
        answer(OK, OK);
    }
}
