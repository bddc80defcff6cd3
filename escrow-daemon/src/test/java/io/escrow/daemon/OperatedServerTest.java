package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.control.SessionView;
import io.escrow.control.SlotView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.handover.HandoverHarness;
import io.escrow.handover.Peer;
import io.escrow.handover.ServerHandover;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What operators see of servers, and do to them. */
class OperatedServerTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);

    @Override
    protected AutoCloseable startDaemon(Path path) throws Exception {
        return EscrowDaemon.start(DaemonOptions.of(path.toString()));
    }

    private List<SlotView> slots() throws Exception {
        return Operator.lines(socket(), "GET /slots", SlotView.class);
    }

    private static void assertSlot(String kind, String state, String origin, SlotView slot) {
        assertEquals(kind, slot.kind());
        assertEquals(state, slot.state());
        assertEquals("echo", slot.listener());
        assertEquals(origin, slot.origin());
        assertEquals(ProcessHandle.current().pid(), slot.pid());
    }

    @Test
    void seesWhatIsHandedOver() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        awaitConnections(server, 1);
        handOver(server);
        List<SlotView> slots = slots();

        assertEquals(2, slots.size(), slots::toString);
        assertSlot("tcp-listener", "LISTEN", "handed over", slots.get(0));
        assertEquals("127.0.0.1:" + port, slots.get(0).local());
        assertSlot("tcp", "ESTABLISHED", "handed over", slots.get(1));
        start();
        peer.assertEchoes(RECORD);
    }

    @Test
    void seesWhatIsKeptForTheCaseOfCrash() throws Exception {
        crashSafe = true;
        ServerHandover server = start();
        connect();
        awaitEscrowed(server, 1);
        List<SlotView> slots = slots();

        assertTrue(slots.size() > 0);
        assertSlot("tcp", "ESTABLISHED", "crash-safe", slots.get(slots.size() - 1));
    }

    @Test
    void emptiesSlotsThatAreFilledAgain() throws Exception {
        crashSafe = true;
        ServerHandover server = start();
        Peer peer = connect();
        awaitEscrowed(server, 1);
        for (SlotView slot : slots()) {
            Operator.lines(socket(), "DELETE /slots/" + slot.tag() + "/" + slot.index(), Object.class);
        }
        assertEquals(List.of(), slots());
        peer.assertEchoes(RECORD);
        checkpointOnly(server);
        assertEquals(1, handOver(server).connections());

        ServerHandover next = start();
        assertEquals(1, next.startReport().adopted());
        assertEquals(List.of("echo"), next.startReport().adoptedListeners());
        peer.assertEchoes(RECORD);
    }

    @Test
    void endsSessionOfServerThatGetsItBack() throws Exception {
        crashSafe = true;
        ServerHandover server = start();
        Peer peer = connect();
        awaitEscrowed(server, 1);
        SessionView evicted =
                Operator.lines(socket(), "DELETE /session", SessionView.class).get(0);
        assertEquals(ProcessHandle.current().pid(), evicted.pid());
        connect();
        awaitConnections(server, 2);
        awaitEscrowed(server, 2);
        peer.assertEchoes(RECORD);
        crash(server);
        assertEquals(2, start().startReport().foundAfterCrash());
        peer.assertEchoes(RECORD);
    }
}
