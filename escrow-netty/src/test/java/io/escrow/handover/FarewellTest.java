package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Tests the farewells that are stored beside connections for their peers. */
class FarewellTest extends HandoverHarness {

    private static final byte[] GOODBYE = Peer.framed("goodbye".getBytes(US_ASCII));

    /** Returns the farewell of the only connection in the escrow. */
    private byte[] storedFarewell() throws Exception {
        List<byte[]> farewells = new ArrayList<>();
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.getAll(1, entry -> {
                        try (Entry closed = entry) {
                            farewells.add(closed.farewell());
                        }
                    })
                    .orThrow();
        }
        assertEquals(1, farewells.size());
        return farewells.get(0);
    }

    @Test
    void storesWhatTheServerChose() throws Exception {
        ServerHandover server = start(echoServer().farewell("echo", GOODBYE));
        Peer peer = connect();
        peer.assertEchoes(new byte[100]);
        handOver(server);

        assertArrayEquals(GOODBYE, storedFarewell());
        start();
        peer.assertEchoes(new byte[100]);
    }

    @Test
    void takesTheFarewellBackWhenTheConnectionGoesOn() throws Exception {
        crashSafe = true;
        ServerHandover first = start(echoServer().farewell("echo", GOODBYE));
        Peer peer = connect();
        peer.assertEchoes(new byte[100]);
        handOver(first);
        ServerHandover second = start(echoServer().farewell("echo", GOODBYE));
        peer.assertEchoes(new byte[100]);
        crash(second);

        assertEquals(0, storedFarewell().length);
        start();
        peer.assertEchoes(new byte[100]);
    }

    @Test
    void goesOnWhenTheFarewellIsTooLong() throws Exception {
        ServerHandover server = start(echoServer().farewell("echo", new byte[1025]));
        Peer peer = connect();
        peer.assertEchoes(new byte[100]);

        EscrowException e = assertThrows(EscrowException.class, () -> handOver(server));

        assertEquals(Status.EMSGSIZE, e.status());
        assertEquals("farewell length: 1025 (expected: <= 1024)", e.text());
        peer.assertEchoes(new byte[100]);
    }

    @Test
    void refusesFarewellOfUnknownListener() {
        Exception e =
                assertThrows(IllegalArgumentException.class, () -> echoServer().farewell("ech", GOODBYE));
        assertEquals("no listener named ech: add it before its farewell", e.getMessage());
    }
}
