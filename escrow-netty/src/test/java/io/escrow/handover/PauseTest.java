package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SlotInfo;
import io.escrow.client.BlockingEscrow;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.EscrowTable;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Measures how long connections pause, in the process that goes on with them. */
class PauseTest extends HandoverHarness {

    private static final int MANY = 50;

    private ServerHandover startWithConnections() throws Exception {
        ServerHandover server = start();
        connect(MANY);
        awaitConnections(server, MANY);
        return server;
    }

    /** Waits until the clock shows that some time has passed. */
    private static long awaitLater(long millis) {
        long now = millis;
        while (now == millis) {
            Thread.onSpinWait();
            now = System.currentTimeMillis();
        }
        return now;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void allAtOnce(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startWithConnections();
        assertEquals(0, server.startReport().pauses().measured());
        long began = System.currentTimeMillis();
        handOver(server);
        long atRest = System.currentTimeMillis();
        long starting = awaitLater(atRest);
        Pauses pauses = start().startReport().pauses();
        long served = System.currentTimeMillis();

        assertEquals(MANY, pauses.measured());
        assertTrue(pauses.median().toMillis() >= starting - atRest, pauses::toString);
        assertTrue(pauses.median().compareTo(pauses.p99()) <= 0, pauses::toString);
        assertTrue(pauses.p99().compareTo(pauses.max()) <= 0, pauses::toString);
        assertTrue(pauses.max().toMillis() <= served - began, pauses::toString);
    }

    @Test
    void inWaves() throws Exception {
        ServerHandover server = start(echoServer().waves(Duration.ofMillis(20)));
        connect(MANY);
        awaitConnections(server, MANY);
        CompletableFuture<ServerHandover> starting = startNext(echoServer());
        long began = System.currentTimeMillis();
        handOver(server);
        Pauses pauses = add(starting.join()).startReport().pauses();
        long served = System.currentTimeMillis();

        assertEquals(MANY, pauses.measured());
        assertTrue(pauses.max().toMillis() <= served - began, pauses::toString);
    }

    @Test
    void nobodyKnowsAfterACrash() throws Exception {
        crashSafe = true;
        ServerHandover first = startWithConnections();
        awaitEscrowed(first, MANY);
        handOver(first);
        ServerHandover second = start();
        crash(second);
        StartReport report = start().startReport();

        assertEquals(MANY, report.foundAfterCrash());
        assertEquals(0, report.pauses().measured());
    }

    @Test
    void nobodyKnowsWhenTheProcessBeforeDidNotSay() throws Exception {
        handOver(startWithConnections());
        byte[] record = ChannelRecord.builder("echo", true).build().encode();
        byte[] payload = ByteBuffer.allocate(EscrowTable.HEADER_LENGTH + record.length)
                .put(EscrowTable.HEADER_LENGTH, record)
                .array();
        try (BlockingEscrow escrow = connectToEscrow()) {
            for (SlotInfo slot : escrow.list(1).subList(0, MANY / 2)) {
                escrow.update(1, slot.index(), payload);
            }
        }
        StartReport report = start().startReport();

        assertEquals(MANY, report.adopted());
        assertEquals(MANY - MANY / 2, report.pauses().measured());
    }
}
