package io.escrow.system;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Hands real processes over at random moments, while clients of all kinds talk to them. */
class HandoverIT extends RecordServers {

    private static final List<RecordPeer.Kind> KINDS = List.of(
            RecordPeer.Kind.TALKING,
            RecordPeer.Kind.NOT_READING,
            RecordPeer.Kind.HALF_SENDING,
            RecordPeer.Kind.IDLE,
            RecordPeer.Kind.HALF_CLOSING);

    @ParameterizedTest
    @CsvSource({"false,true", "true,true", "false,false", "true,false"})
    void nothingIsLostThroughHandovers(boolean inWaves, boolean autoRead) throws Exception {
        this.inWaves = inWaves;
        this.autoRead = autoRead;
        JarProcess server = start(false);
        connect(KINDS);
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
        assertOnlyTheListenerIsLeft(start(false));
    }
}
