package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.ConnectionState;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Asks a connection of a server for moves that its state does not allow. */
class ConnectionMovesTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(100, 1);

    private ServerHandover server;
    private Peer peer;
    private Connection connection;

    @BeforeEach
    void connectOne() throws Exception {
        server = start();
        peer = connect();
        connection = onlyConnection(server);
    }

    @AfterEach
    void forgetWhatIsGone() {
        if (connection.state() == ConnectionState.GONE) {
            server.context().connections().removeAll(List.of(connection));
        }
    }

    private <T> CompletableFuture<T> onLoop(Callable<T> task) {
        return EventLoops.call(connection.channel().eventLoop(), task);
    }

    private Callable<Object> letGo() {
        return () -> {
            connection.letGo();
            return null;
        };
    }

    @Test
    void illegalMoveFails() throws Exception {
        CompletionException refused = assertThrows(CompletionException.class, onLoop(letGo())::join);

        assertInstanceOf(IllegalStateException.class, refused.getCause());
        assertEquals(
                "a connection that is SERVING can't become GONE",
                refused.getCause().getMessage());
        assertEquals(ConnectionState.SERVING, connection.state());
        peer.assertEchoes(RECORD);
    }

    @Test
    void moveOffTheEventLoopFails() throws Exception {
        IllegalStateException refused = assertThrows(IllegalStateException.class, connection::letGo);
        assertEquals("the state of " + connection.channel() + " changes on its event loop only", refused.getMessage());
        assertThrows(IllegalStateException.class, connection::tryToRest);
        assertEquals(ConnectionState.SERVING, connection.state());
        peer.assertEchoes(RECORD);
    }

    @Test
    void whatIsGoneStaysGone() throws Exception {
        onLoop(connection::tryToRest).join();
        assertEquals(ConnectionState.RESTING, connection.state());
        EventLoops.deregister(connection.channel()).join();
        onLoop(connection::takeApart).join();
        assertEquals(ConnectionState.APART, connection.state());
        onLoop(letGo()).join();
        assertEquals(ConnectionState.GONE, connection.state());

        Throwable refused =
                onLoop(letGo()).handle((nothing, failure) -> failure).join();
        assertEquals(
                "a connection that is GONE can't become GONE",
                Futures.unwrap(refused).getMessage());
        // Nothing moves it any more, and nothing fails that only asks.
        onLoop(connection::comeBack).join().join();
        assertEquals(false, onLoop(connection::tryToRest).join());
        assertEquals(ConnectionState.GONE, connection.state());
        peer.assertEnds();
    }

    @Test
    void restEndsWhereItBegan() throws Exception {
        onLoop(connection::tryToRest).join();
        peer.send(RECORD);
        onLoop(() -> {
                    connection.goOn();
                    return null;
                })
                .join();
        assertEquals(ConnectionState.SERVING, connection.state());
        peer.assertReceives(RECORD);
        peer.assertEchoes(RECORD);
    }
}
