package io.escrow.system;

import io.escrow.testing.JarProcess;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands real processes over at random moments, while clients of all kinds talk to them. */
class HandoverIT extends RecordServers {

    private static final List<RecordPeer.Kind> KINDS = List.of(
            RecordPeer.Kind.TALKING,
            RecordPeer.Kind.NOT_READING,
            RecordPeer.Kind.HALF_SENDING,
            RecordPeer.Kind.IDLE,
            RecordPeer.Kind.HALF_CLOSING);

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nothingIsLostThroughHandovers(boolean inWaves) throws Exception {
        this.inWaves = inWaves;
        serve(RecordService.TCP, RecordService.TCP_ON_DEMAND);
        handOver(KINDS);
    }

    /** Handlers answer by a scheduler, on executors of their own, and in chunks, in all protocols. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nothingIsLostByServersThatAnswerLater(boolean inWaves) throws Exception {
        this.inWaves = inWaves;
        serve(RecordService.values());
        handOver(List.of(
                RecordPeer.Kind.TALKING,
                RecordPeer.Kind.NOT_READING,
                RecordPeer.Kind.HALF_SENDING,
                RecordPeer.Kind.IDLE));
    }

    private void handOver(List<RecordPeer.Kind> kinds) throws Exception {
        JarProcess server = start(false);
        connect(kinds);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            JarProcess next;
            if (round % 2 == 0) {
                next = launch(false);
                next.awaitLine(RecordServer.WAITING);
                server.terminate();
            } else {
                server.terminate();
                server.awaitExit();
                next = launch(false);
            }
            next.awaitLine(RecordServer.SERVING);
            server.awaitExit();
            server = next;
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(false));
    }
}
