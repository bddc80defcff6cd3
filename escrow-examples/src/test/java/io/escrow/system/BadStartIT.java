package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.system.Flaw.Manner;
import io.escrow.system.Flaw.Point;
import io.escrow.testing.JarProcess;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Starts a version ten times that dies while it starts, each time elsewhere: the good one behind it adopts everything. */
class BadStartIT extends RecordServers {

    private static final List<RecordPeer.Kind> KINDS = List.of(
            RecordPeer.Kind.TALKING, RecordPeer.Kind.NOT_READING, RecordPeer.Kind.HALF_SENDING, RecordPeer.Kind.IDLE);

    private static final List<Flaw> AT_ONCE = List.of(
            new Flaw(Point.SESSION, 1, Manner.HALT),
            new Flaw(Point.SESSION, 1, Manner.EXIT),
            new Flaw(Point.LISTENER, 1, Manner.HALT),
            new Flaw(Point.LISTENER, 1, Manner.EXIT),
            new Flaw(Point.PIPELINE, 1, Manner.HALT),
            new Flaw(Point.PIPELINE, CONNECTIONS / 2, Manner.EXIT),
            new Flaw(Point.PIPELINE, CONNECTIONS, Manner.HALT),
            new Flaw(Point.RESTORED, 1, Manner.EXIT),
            new Flaw(Point.RESTORED, CONNECTIONS / 2, Manner.HALT),
            new Flaw(Point.RESTORED, CONNECTIONS, Manner.HALT));

    /** In the first wave: what a process has taken and serves ends with it, unless it is crash-safe. */
    private static final List<Flaw> IN_WAVES = List.of(
            new Flaw(Point.SESSION, 1, Manner.HALT),
            new Flaw(Point.SESSION, 1, Manner.EXIT),
            new Flaw(Point.LISTENER, 1, Manner.HALT),
            new Flaw(Point.LISTENER, 1, Manner.EXIT),
            new Flaw(Point.LISTENER, 1, Manner.EXIT),
            new Flaw(Point.PIPELINE, 1, Manner.HALT),
            new Flaw(Point.PIPELINE, 2, Manner.EXIT),
            new Flaw(Point.PIPELINE, 1, Manner.EXIT),
            new Flaw(Point.RESTORED, 1, Manner.EXIT),
            new Flaw(Point.RESTORED, 1, Manner.HALT));

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void atOnce(boolean crashSafe) throws Exception {
        JarProcess server = start(crashSafe);
        connect(KINDS);
        // Each of them is a connection by then, and counts.
        await(RecordPeer::served);
        server.terminate();
        server.awaitExit();
        long descriptors = daemon.descriptors();
        for (Flaw flaw : AT_ONCE) {
            JarProcess bad = launch(crashSafe, flaw);
            bad.awaitExit();
            assertFalse(bad.lines().stream().anyMatch(line -> line.startsWith(RecordServer.SERVING)), flaw::toString);
        }
        // Each that dies leaves its marks; the next start that succeeds frees them.
        long most = descriptors + (crashSafe ? AT_ONCE.size() : 0);
        Awaitility.await().until(() -> daemon.descriptors() <= most);
        JarProcess good = start(crashSafe);
        assertAdopted(good, CONNECTIONS);
        await(RecordPeer::finish);
        good.terminate();
        assertOnlyTheListenersAreLeft(start(crashSafe));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void inWavesTheOldProcessServesOn(boolean crashSafe) throws Exception {
        inWaves = true;
        JarProcess server = start(crashSafe);
        connect(KINDS);
        await(RecordPeer::served);
        long descriptors = daemon.descriptors();
        List<JarProcess> bad = new ArrayList<>();
        for (Flaw flaw : IN_WAVES) {
            bad.add(launch(crashSafe, flaw));
            bad.get(bad.size() - 1).awaitLine(RecordServer.WAITING);
        }
        JarProcess good = launch(crashSafe);
        good.awaitLine(RecordServer.WAITING);
        // One more dies in the queue.
        bad.get(0).kill();
        server.terminate();
        bad.forEach(JarProcess::awaitExit);
        assertTrue(server.isAlive());
        good.awaitLine(RecordServer.SERVING);
        server.awaitExit();
        assertAdopted(good, CONNECTIONS);
        await(RecordPeer::finish);
        Awaitility.await().until(() -> daemon.descriptors() <= descriptors);
        good.terminate();
        assertOnlyTheListenersAreLeft(start(crashSafe));
    }

    /** Those that were taken before the process died are found after a crash. */
    @Test
    void inLaterWaves() throws Exception {
        inWaves = true;
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        List<JarProcess> bad = new ArrayList<>();
        for (int i = 1; i <= 4; i++) {
            bad.add(launch(true, new Flaw(Point.RESTORED, CONNECTIONS * i / 5, Manner.HALT)));
            bad.get(bad.size() - 1).awaitLine(RecordServer.WAITING);
        }
        JarProcess good = launch(true);
        good.awaitLine(RecordServer.WAITING);
        server.terminate();
        for (JarProcess process : bad) {
            process.awaitExit();
            peers.forEach(RecordPeer::repeat);
        }
        good.awaitLine(RecordServer.SERVING);
        peers.forEach(RecordPeer::repeat);
        await(RecordPeer::finish);
        good.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }

    private static void assertAdopted(JarProcess server, int count) {
        String report = server.awaitLine(RecordServer.SERVING);
        assertTrue(report.contains(" adopted=" + count + ","), report);
        assertTrue(report.contains("refused=[]") && report.contains("left=[]"), report);
    }
}
