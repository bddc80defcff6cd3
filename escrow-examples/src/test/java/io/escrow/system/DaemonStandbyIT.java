package io.escrow.system;

import io.escrow.testing.JarProcess;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Kills the daemon below a crash-safe server, while another one stands by: the server goes on, and so do its clients. */
@Timeout(120)
class DaemonStandbyIT extends RecordServers {

    private static final int KILLS = Math.max(2, ROUNDS / 4);

    /** Kills the daemon that serves; the one that stood by serves then. */
    private void killDaemon(JarProcess standby) throws Exception {
        daemon.kill();
        daemon.close();
        daemon = standby;
        standby.nextWith("Listening on");
    }

    @Test
    void clientsNoticeNothing() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.values()));
        for (int i = 0; i < KILLS; i++) {
            JarProcess standby = JarProcess.standby(socket());
            goOn();
            killDaemon(standby);
        }
        goOn();
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }

    @Test
    void everythingIsThereWhenTheServerIsKilledThen() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        JarProcess standby = JarProcess.standby(socket());
        killDaemon(standby);
        server.kill();
        server = start(true);
        peers.forEach(RecordPeer::repeat);
        goOn();
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }

    /** What only the escrow holds is in the daemon that stood by. */
    @Test
    void theNextServerFindsEverything() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.values()));
        goOn();
        JarProcess standby = JarProcess.standby(socket());
        server.terminate();
        server.awaitExit();
        killDaemon(standby);
        server = start(true);
        goOn();
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }
}
