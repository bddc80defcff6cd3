package io.escrow.system;

import io.escrow.testing.JarProcess;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kills servers, daemons, and processes in the middle of a handover, at random moments. */
class CrashIT extends RecordServers {

    @Test
    void connectionsOutliveKills() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        // A connection that is accepted, but not in the escrow yet, dies with its process.
        await(RecordPeer::served);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            server.kill();
            server = start(true);
            peers.forEach(RecordPeer::repeat);
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }

    @Test
    void connectionsOutliveKillsOfTheDaemonAndThenOfTheServer() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            daemon.kill();
            goOn();
            daemon = JarProcess.escrowd(socket(), "--force");
            server.awaitLine(line -> line.contains("is on again: " + (CONNECTIONS + 1)), "that all are escrowed anew");
            server.kill();
            server = start(true);
            peers.forEach(RecordPeer::repeat);
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsOutliveKillsInTheMiddleOfAHandover(boolean ofTheNext) throws Exception {
        inWaves = true;
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        for (int round = 0; round < ROUNDS; round++) {
            goOn();
            JarProcess next = launch(true);
            next.awaitLine(RecordServer.WAITING);
            server.terminate();
            goOn(random.nextInt(300));
            if (ofTheNext) {
                next.kill();
                server = start(true);
            } else {
                server.kill();
                next.awaitLine(RecordServer.SERVING);
                server = next;
            }
            peers.forEach(RecordPeer::repeat);
        }
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }
}
