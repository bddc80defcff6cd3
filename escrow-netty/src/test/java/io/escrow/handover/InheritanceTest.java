package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.InheritedSockets;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Listeners that a process was started with. The socket that it gets is the one that systemd would keep. */
class InheritanceTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);
    private static final InetSocketAddress ANY = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);

    private final Map<Integer, String> passedOn = new TreeMap<>();

    private ServerBootstrap echo() {
        return bootstrap(ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo()));
    }

    /** Binds a listener as systemd does, and passes it on; returns its address. */
    private InetSocketAddress passOn(String name) throws IOException {
        return passOn(name, ANY);
    }

    private InetSocketAddress passOn(String name, InetSocketAddress address) throws IOException {
        Socket socket = Socket.newSocketStream();
        socket.setReusePort(true);
        socket.bind(address);
        socket.listen(16);
        passedOn.put(socket.intValue(), name);
        return socket.localAddress();
    }

    private ServerHandoverBuilder listen(String name, InetSocketAddress address) {
        return ServerHandover.with(escrow()).listen(name, echo(), address).inheritListeners(inherited());
    }

    private InheritedSockets inherited() {
        return new InheritedSockets(passedOn);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void serversAfterTheFirstHaveItFromTheEscrow(boolean crashSafe) throws Exception {
        InetSocketAddress address = passOn("web.socket");
        Peer waiting = add(Peer.tcp(address));
        waiting.send(RECORD);
        ServerHandover server = start(listen("http", address).crashSafe(crashSafe));
        assertEquals(List.of("http"), server.startReport().inheritedListeners());
        waiting.assertReceives(RECORD);
        handOver(server);

        passedOn.clear();
        server = start(listen("http", address).crashSafe(crashSafe));
        assertEquals(List.of("http"), server.startReport().adoptedListeners());
        waiting.assertEchoes(RECORD);
        add(Peer.tcp(address)).assertEchoes(RECORD);
        if (crashSafe) {
            crash(server);
            server = start(listen("http", address).crashSafe(true));
            waiting.assertEchoes(RECORD);
        }
        assertEquals(List.of(), server.startReport().inheritedListeners());
        assertEquals(List.of(), server.startReport().boundListeners());
    }

    @Test
    void duplicateOfWhatTheEscrowHoldsIsClosed() throws Exception {
        InetSocketAddress address = passOn("http");
        ServerHandover server = start(listen("http", address));
        handOver(server);
        passedOn.clear();
        passOn("http", address);
        server = start(listen("http", address));

        assertEquals(List.of("http"), server.startReport().adoptedListeners());
        // Were the duplicate open, the kernel would give it every second connection, which nobody would serve.
        for (int i = 0; i < 20; i++) {
            add(Peer.tcp(address)).assertEchoes(RECORD);
        }
    }

    @Test
    void nameGoesBeforeAddress() throws Exception {
        InetSocketAddress named = passOn("http");
        InetSocketAddress other = passOn("unknown");
        ServerHandover server = start(ServerHandover.with(escrow())
                .listen("admin", echo(), other)
                .listen("http", echo(), ANY)
                .listen("third", echo(), ANY)
                .inheritListeners(inherited()));

        assertEquals(List.of("admin", "http"), server.startReport().inheritedListeners());
        assertEquals(List.of("third"), server.startReport().boundListeners());
        assertEquals(other, server.listeners().get(0).localAddress());
        assertEquals(named, server.listeners().get(1).localAddress());
    }

    @Test
    void severalOfOneName() throws Exception {
        InetSocketAddress address = passOn("http");
        passOn("http", address);
        ServerBootstrap bootstrap = echo().option(EpollChannelOption.SO_REUSEPORT, true);
        ServerHandover server = start(ServerHandover.with(escrow())
                .listen("http", bootstrap, address, 3)
                .inheritListeners(inherited()));

        assertEquals(List.of("http#0", "http#1"), server.startReport().inheritedListeners());
        assertEquals(List.of("http#2"), server.startReport().boundListeners());
    }

    @Test
    void aStartThatFailsLeavesTheSocketsForTheNext() throws Exception {
        InetSocketAddress address = passOn("http");
        passOn("web");
        InheritedSockets inherited = inherited();
        Peer waiting = add(Peer.tcp(address));
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            EscrowException e = assertThrows(
                    EscrowException.class,
                    () -> start(ServerHandover.with(escrow())
                            .listen("http", echo(), address)
                            .listen("other", echo(), (InetSocketAddress) taken.getLocalSocketAddress())
                            .inheritListeners(inherited)));
            assertEquals(Status.EADDRINUSE, e.status());
        }
        assertEquals(2, inherited.left().size());

        ServerHandover server = start(
                ServerHandover.with(escrow()).listen("http", echo(), address).inheritListeners(inherited));
        assertEquals(List.of("http"), server.startReport().inheritedListeners());
        waiting.assertEchoes(RECORD);
        assertEquals(List.of(), inherited.left());
    }

    @Test
    void fewerThanListenersThatCantShareTheirAddressAreAnError() throws Exception {
        Socket socket = Socket.newSocketStream();
        socket.bind(ANY);
        socket.listen(16);
        passedOn.put(socket.intValue(), "http");
        InheritedSockets inherited = inherited();

        EscrowException e = assertThrows(
                EscrowException.class,
                () -> start(ServerHandover.with(escrow())
                        .listen("http", echo(), socket.localAddress(), 2)
                        .inheritListeners(inherited)));
        assertEquals(Status.EADDRINUSE, e.status());
        assertTrue(
                e.text()
                        .endsWith(
                                "; only 1 of the listeners that share its name have inherited a socket: pass on one for"
                                        + " each, or ask for fewer"),
                e.text());
        assertEquals(1, inherited.closeRest().size());
    }

    @Test
    void otherAddressThanAskedForIsAnError() throws Exception {
        InetSocketAddress address = passOn("http");
        InetSocketAddress wanted = new InetSocketAddress(InetAddress.getByName("127.0.0.2"), address.getPort());
        int number = passedOn.keySet().iterator().next();

        EscrowException e = assertThrows(EscrowException.class, () -> start(listen("http", wanted)));

        assertEquals(
                "listener http: inherited descriptor " + number + " \"http\" (TCP listener, " + address
                        + ") has its name, but not its kind (expected: TCP listener) or address (asked for " + wanted
                        + ", has " + address + "): change the unit of the socket, or the server",
                e.text());
        ServerHandover server = start(listen("http", wanted).bindChangedAddress(true));
        assertEquals(List.of("http"), server.startReport().boundListeners());
    }

    @Test
    void changedAddressIsThatOfTheInheritedOne() throws Exception {
        handOver(start(listen("http", ANY)));
        InetSocketAddress address = passOn("http");
        ServerHandover server = start(listen("http", address).bindChangedAddress(true));
        assertEquals(List.of("http"), server.startReport().inheritedListeners());
        add(Peer.tcp(address)).assertEchoes(RECORD);

        Channel listener = server.listeners().get(0);
        server.close();
        assertFalse(listener.isOpen());
    }

    /** Its path is for whoever has bound it to remove. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void unixDomainListenerKeepsItsPathWhenTheServerIsClosed(boolean handedOver) throws Exception {
        Path path = directory.resolve("server");
        Socket systemd = Socket.newSocketDomain();
        systemd.bind(new DomainSocketAddress(path.toString()));
        systemd.listen(16);
        passedOn.put(systemd.intValue(), "web.socket");
        Peer peer = add(Peer.unix(path));
        ServerHandover server = start(unix(path));
        assertEquals(List.of("unix"), server.startReport().inheritedListeners());
        peer.assertEchoes(RECORD);
        if (handedOver) {
            handOver(server);
            passedOn.clear();
            server = start(unix(path));
            peer.assertEchoes(RECORD);
        }

        server.close();

        assertTrue(SocketPath.isSocket(path));
    }

    private ServerHandoverBuilder unix(Path path) {
        return ServerHandover.with(escrow())
                .listen("unix", echo(), new DomainSocketAddress(path.toString()))
                .inheritListeners(inherited());
    }
}
