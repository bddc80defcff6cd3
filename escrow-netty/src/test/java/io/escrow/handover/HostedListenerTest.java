package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Listeners that a framework makes and binds are handed over with their connections. */
class HostedListenerTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);

    private final FakeFramework framework = new FakeFramework(group);

    private ServerHandoverBuilder server() {
        return ServerHandover.with(escrow()).crashSafe(crashSafe);
    }

    private InetSocketAddress address() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    }

    private ServerHandover startHosted(ServerHandoverBuilder builder) throws Exception {
        HandoverTransport transport = builder.transport();
        framework.bind(transport.serverChannels("echo"), address()).sync();
        return add(transport.server().get());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsMoveAtOnce(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startHosted(server());
        assertEquals(List.of("echo"), server.startReport().boundListeners());
        List<Peer> peers = connect(5);
        byte[] framed = Peer.framed(RECORD);
        for (int round = 0; round < 3; round++) {
            for (Peer peer : peers) {
                peer.assertEchoes(RECORD);
                peer.sendRaw(framed, 0, 500);
            }
            HandoverReport report = handOver(server);
            assertEquals(5, report.connections());
            assertEquals(1, report.listeners());
            Peer waiting = connect();
            waiting.send(RECORD);
            server = startHosted(server());
            assertEquals(List.of("echo"), server.startReport().adoptedListeners());
            assertEquals(5, server.startReport().adopted());
            waiting.assertReceives(RECORD);
            waiting.close();
            for (Peer peer : peers) {
                peer.sendRaw(framed, 500, framed.length);
                peer.assertReceives(RECORD);
            }
            awaitConnections(server, 5);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsMoveInWaves(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startHosted(server().waves(Duration.ofMillis(100)));
        List<Peer> peers = connect(5);
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        CompletableFuture<ServerHandover> next = startNextHosted();
        assertEquals(5, handOver(server).connections());
        ServerHandover started = add(next.join());
        assertEquals(5, started.startReport().adopted());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        connect().assertEchoes(RECORD);
    }

    /** Begins to start a server, which waits in newChannel until it is its turn. */
    private CompletableFuture<ServerHandover> startNextHosted() {
        HandoverTransport transport = server().waves(Duration.ofMillis(100)).transport();
        return queue(() -> {
            CompletableFuture.runAsync(() -> framework.bind(transport.serverChannels("echo"), address()));
            return transport.server();
        });
    }

    @Test
    void connectionsAreFoundAfterACrash() throws Exception {
        crashSafe = true;
        ServerHandover server = startHosted(server());
        List<Peer> peers = connect(3);
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        crash(server);
        server = startHosted(server());
        assertEquals(3, server.startReport().foundAfterCrash());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }
}
