package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.EscrowTable;
import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Starts servers from slots that somebody else has written: they are refused, and nothing of them stays open. */
class ForeignSlotsTest extends HandoverHarness {

    private static final int LISTENERS = 0;
    private static final int CONNECTIONS = 1;
    private static final int CHUNKS = 2;

    private TestFile file;

    @BeforeEach
    void makeFile() throws Exception {
        file = new TestFile(directory, "a");
    }

    private void store(int tag, int index, byte[] payload) throws Exception {
        FileDescriptor descriptor = file.open();
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.add(tag, index, descriptor, payload);
        } finally {
            descriptor.close();
        }
    }

    /** Makes the payload of a channel's slot, as {@link EscrowTable} does. */
    private static byte[] payload(int chunks, byte[] record) {
        return ByteBuffer.allocate(8 + record.length)
                .putInt(chunks)
                .putInt(0)
                .put(record)
                .array();
    }

    @ParameterizedTest
    @ValueSource(ints = {LISTENERS, CONNECTIONS})
    void whatIsNoRecordStays(int tag) throws Exception {
        byte[] newer = ChannelRecord.builder("echo", true).build().encode();
        newer[0]++;
        newer[1]++;
        store(tag, 0, new byte[0]);
        store(tag, 1, payload(0, new byte[0]));
        store(tag, 2, payload(0, newer));
        store(tag, 3, payload(1, newer));
        store(tag, 4, payload(-1, newer));

        ServerHandover server = start();
        StartReport report = server.startReport();
        assertEquals(5, report.left().size(), report::toString);
        assertEquals(List.of(), report.refused());
        assertTrue(
                report.left().stream().anyMatch(left -> left.contains("needs a reader of version 3 or later")),
                report::toString);
        // Nobody empties those slots: another version, or another program, may know what they are.
        file.awaitOpenCount(5);
        for (int index = 0; index < 5; index++) {
            server.context().client().delete(tag, index).join();
        }
        file.awaitOpenCount(0);
    }

    @ParameterizedTest
    @ValueSource(ints = {LISTENERS, CONNECTIONS})
    void aChunkHasNoDescriptor(int tag) throws Exception {
        byte[] record = ChannelRecord.builder("echo", true).build().encode();
        store(tag, 0, payload(1, Arrays.copyOf(record, 4)));
        store(CHUNKS, 0, Arrays.copyOfRange(record, 4, record.length));

        ServerHandover server = start();
        List<String> left = server.startReport().left();
        assertEquals(1, left.size());
        assertTrue(left.get(0).contains("slot 2/0 holds a descriptor"), left.get(0));
        // Nobody empties the slots of the record and of the chunk, for nobody knows whose they are.
        file.awaitOpenCount(2);
        server.context().client().delete(CHUNKS, 0).join();
        server.context().client().delete(tag, 0).join();
        file.awaitOpenCount(0);
    }

    @Test
    void aListenerHasADescriptor() throws Exception {
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.add(
                    LISTENERS,
                    0,
                    payload(0, ChannelRecord.builder("echo", true).build().encode()));
        }
        ServerHandover server = start();
        List<String> refused = server.startReport().refused();
        assertEquals(1, refused.size());
        assertTrue(refused.get(0).endsWith("it has no descriptor"), refused.get(0));
        connect().assertEchoes(Peer.bytes(1_000, 1));
    }

    @Test
    void ofTwoListenersTheLaterIsTaken() throws Exception {
        store(
                LISTENERS,
                0,
                payload(0, ChannelRecord.builder("echo", true).build().encode()));
        Socket socket = Socket.newSocketStream();
        try (BlockingEscrow escrow = connectToEscrow()) {
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            socket.listen(1);
            port = socket.localAddress().getPort();
            escrow.add(
                    LISTENERS,
                    1,
                    socket,
                    payload(0, ChannelRecord.builder("echo", true).build().encode()));
        } finally {
            socket.close();
        }
        ServerHandover server = start();
        assertEquals(List.of("echo"), server.startReport().adoptedListeners());
        List<String> refused = server.startReport().refused();
        assertEquals(1, refused.size());
        assertTrue(refused.get(0).endsWith("another slot holds a listener of that name"), refused.get(0));
        file.awaitOpenCount(0);
        connect().assertEchoes(Peer.bytes(1_000, 1));
    }
}
