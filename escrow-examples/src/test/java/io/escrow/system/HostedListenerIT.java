package io.escrow.system;

import io.escrow.testing.JarProcess;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands over and kills servers that make and bind their listeners themselves, with channel factories of escrow. */
class HostedListenerIT extends RecordServers {

    private static final int FEW_ROUNDS = Math.max(2, ROUNDS / 4);

    private static final List<RecordPeer.Kind> KINDS = List.of(
            RecordPeer.Kind.TALKING,
            RecordPeer.Kind.NOT_READING,
            RecordPeer.Kind.HALF_SENDING,
            RecordPeer.Kind.IDLE,
            RecordPeer.Kind.HALF_CLOSING);

    @BeforeEach
    void bindByThemselves() {
        hosted = true;
        serve(RecordService.TCP, RecordService.TCP_ON_DEMAND);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nothingIsLostThroughHandovers(boolean inWaves) throws Exception {
        this.inWaves = inWaves;
        JarProcess server = start(false);
        connect(KINDS);
        for (int round = 0; round < FEW_ROUNDS; round++) {
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

    @Test
    void connectionsOutliveKills() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        for (int round = 0; round < FEW_ROUNDS; round++) {
            goOn();
            server.kill();
            server = start(true);
            peers.forEach(RecordPeer::repeat);
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }
}
