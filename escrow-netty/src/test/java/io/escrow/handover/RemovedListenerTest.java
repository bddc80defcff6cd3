package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Goes forward to a version that lacks a listener, and back. */
class RemovedListenerTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);
    private static final byte[] FRAMED = Peer.framed(RECORD);
    private static final InetSocketAddress ANY = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);

    private InetSocketAddress removed = ANY;

    private ServerBootstrap echo() {
        return bootstrap(ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo()));
    }

    private ServerHandoverBuilder withBoth() {
        return echoServer().listen("removed", echo(), removed);
    }

    private ServerHandover startWithBoth() throws Exception {
        return startWithBoth(withBoth());
    }

    private ServerHandover startWithBoth(ServerHandoverBuilder description) throws Exception {
        ServerHandover server = start(description);
        removed = (InetSocketAddress) server.listeners().get(1).localAddress();
        return server;
    }

    private static void assertMentions(List<String> notes, String... texts) {
        assertEquals(texts.length, notes.size(), notes::toString);
        for (int i = 0; i < texts.length; i++) {
            assertTrue(notes.get(i).contains(texts[i]), notes.get(i));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void listenerAndItsConnectionsAreThereAfterARollback(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startWithBoth();
        Peer peer = add(Peer.tcp(removed));
        peer.assertEchoes(RECORD);
        peer.sendRaw(FRAMED, 0, 10);
        handOver(server);

        server = start();
        assertMentions(server.startReport().left(), "listener removed in slot", "it came from listener removed");
        assertEquals(List.of(), server.startReport().refused());
        assertEquals(0, server.connections());
        Peer queued = add(Peer.tcp(removed));
        queued.send(RECORD);
        peer.sendRaw(FRAMED, 10, 500);
        // What is left is not this server's: neither its end nor its handover takes anything away.
        handOver(server);
        server = start();
        assertEquals(2, server.startReport().left().size());
        server.close();
        port = 0;

        server = startWithBoth();
        assertEquals(List.of("removed"), server.startReport().adoptedListeners());
        assertEquals(List.of(), server.startReport().left());
        peer.sendRaw(FRAMED, 500, FRAMED.length);
        peer.assertReceives(RECORD);
        queued.assertReceives(RECORD);
        add(Peer.tcp(removed)).assertEchoes(RECORD);
    }

    @Test
    void crashOfTheVersionWithoutItTakesNothingAway() throws Exception {
        ServerHandover server = startWithBoth();
        Peer peer = add(Peer.tcp(removed));
        peer.assertEchoes(RECORD);
        handOver(server);
        server = start();
        crash(server);
        server = startWithBoth();
        assertEquals(1, server.startReport().adopted());
        peer.assertEchoes(RECORD);
    }

    @Test
    void connectionsStayWithTheOldProcessInWaves() throws Exception {
        ServerHandover server = startWithBoth(withBoth().waves(Duration.ofMillis(20)));
        Peer moving = connect();
        Peer staying = add(Peer.tcp(removed));
        moving.assertEchoes(RECORD);
        staying.assertEchoes(RECORD);
        CompletableFuture<ServerHandover> starting = startNext(echoServer().waves(Duration.ofMillis(20)));
        HandoverReport report = handOver(server);
        assertEquals(1, report.connections(), report::toString);
        assertEquals(1, report.staying().size(), report::toString);
        ServerHandover next = add(starting.join());
        assertMentions(next.startReport().left(), "listener removed in slot", "it came from listener removed");
        assertEquals(List.of(), next.startReport().refused());
        moving.assertEchoes(RECORD);
        staying.assertEchoes(RECORD);
        staying.close();
        server.drained().join();
        handOver(next);
        next = startWithBoth();
        assertEquals(List.of("echo", "removed"), next.startReport().adoptedListeners());
        moving.assertEchoes(RECORD);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatIsToBeDiscardedIsClosed(boolean inWaves) throws Exception {
        ServerHandover server = startWithBoth(inWaves ? withBoth().waves(Duration.ofMillis(20)) : withBoth());
        Peer peer = add(Peer.tcp(removed));
        peer.assertEchoes(RECORD);
        CompletableFuture<ServerHandover> starting = startNext(echoServer().discardListener("removed"));
        handOver(server);
        ServerHandover next = add(starting.join());
        assertMentions(next.startReport().refused(), "listener removed: it is to be discarded", "listener removed");
        assertEquals(List.of(), next.startReport().left());
        peer.assertEnds();
        assertThrows(java.net.ConnectException.class, () -> Peer.tcp(removed));
    }

    @Test
    void fewerListenersOnOneAddressServeTheConnectionsOfAll() throws Exception {
        ServerHandover server = startWithBoth(many(1));
        handOver(server);
        // Now on the port of the first.
        server = start(many(4));
        List<Peer> all = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            Peer peer = add(Peer.tcp(removed));
            peer.assertEchoes(RECORD);
            all.add(peer);
        }
        handOver(server);
        server = start(many(2));
        assertEquals(40, server.startReport().adopted());
        assertEquals(List.of(), server.startReport().left());
        assertMentions(
                server.startReport().refused(),
                "listener many#2: this version has fewer of them",
                "listener many#3: this version has fewer of them");
        for (Peer peer : all) {
            peer.assertEchoes(RECORD);
        }
        for (int i = 0; i < 20; i++) {
            add(Peer.tcp(removed)).assertEchoes(RECORD);
        }
        handOver(server);
        server = start(echoServer().discardListener("many"));
        assertEquals(2 + 60, server.startReport().refused().size());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void fewerListenersOnOneAddressServeWhatWaitsAtAll(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startWithBoth(many(1));
        handOver(server);
        server = start(many(4));
        handOver(server);
        List<Peer> waiting = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            Peer peer = add(Peer.tcp(removed));
            peer.send(RECORD);
            waiting.add(peer);
        }
        CompletableFuture<ServerHandover> starting = many(2).start();
        // These come while the others are closed.
        while (!starting.isDone()) {
            try (Peer peer = Peer.tcp(removed)) {
                peer.assertEchoes(RECORD);
            }
        }
        server = add(starting.join());
        for (Peer peer : waiting) {
            peer.assertReceives(RECORD);
            peer.assertEchoes(RECORD);
        }
        awaitConnections(server, 40);
        assertEquals(40, handOver(server).connections());
        server = start(many(2));
        assertEquals(40, server.startReport().adopted());
        assertEquals(List.of("echo", "many#0", "many#1"), server.startReport().adoptedListeners());
        for (Peer peer : waiting) {
            peer.assertEchoes(RECORD);
        }
    }

    private ServerHandoverBuilder many(int count) {
        return echoServer().listen("many", echo().option(EpollChannelOption.SO_REUSEPORT, true), removed, count);
    }

    @Test
    void listenerOfTheServerCannotBeDiscarded() {
        for (String name : List.of("echo", "many")) {
            IllegalArgumentException refused =
                    assertThrows(IllegalArgumentException.class, () -> many(2).discardListener(name));
            assertTrue(refused.getMessage().contains(name + " is a listener of this server"), refused.getMessage());
        }
        ServerHandoverBuilder addedLater = echoServer().discardListener("later").listen("later", echo(), ANY);
        assertThrows(IllegalArgumentException.class, addedLater::start);
    }
}
