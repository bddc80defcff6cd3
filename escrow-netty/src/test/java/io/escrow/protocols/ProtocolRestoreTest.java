package io.escrow.protocols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.HandoverReport;
import io.escrow.handover.Peer;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.StartReport;
import io.netty.buffer.ByteBuf;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Lets a protocol fail while it restores a connection, or recognises it: the connection is not lost. */
class ProtocolRestoreTest extends ProtocolHarness {

    private static final byte[] BODY = Peer.bytes(50, 1);
    private static final String REASON = "no such state";

    /** How a protocol may fail. */
    enum Failure {
        FUTURE_FAILS {
            @Override
            CountingProtocol protocol() {
                return new CountingProtocol()
                        .beforeRestore(in -> CompletableFuture.failedFuture(new IllegalStateException(REASON)));
            }
        },
        RESTORE_THROWS {
            @Override
            CountingProtocol protocol() {
                return new CountingProtocol().beforeRestore(Failure::refuse);
            }
        },
        RECOGNISE_THROWS {
            @Override
            CountingProtocol protocol() {
                return new CountingProtocol().onRecognise(() -> refuse(null));
            }
        },
        RECOGNISES_NOTHING("protocol:counting") {
            @Override
            CountingProtocol protocol() {
                return new CountingProtocol("counting", ServiceProtocol.Decoder.class);
            }
        };

        final String reason;

        Failure() {
            this(REASON);
        }

        Failure(String reason) {
            this.reason = reason;
        }

        abstract CountingProtocol protocol();

        private static CompletableFuture<Void> refuse(ByteBuf in) {
            throw new IllegalStateException(REASON);
        }
    }

    private ServerHandover server;
    private Peer peer;

    /** Serves a connection that has been answered once, and is in the middle of a message. */
    private void serve(boolean inWaves) throws Exception {
        CountingProtocol protocol = new CountingProtocol();
        server = start(counting(protocol, inWaves));
        peer = connect();
        assertAnswered(peer, 1, BODY);
        peer.sendRaw(message(BODY), 0, 10);
        org.awaitility.Awaitility.await().until(() -> connection(protocol, 0).seen == 10);
    }

    private void assertGoesOn() throws Exception {
        peer.sendRaw(message(BODY), 10, 52);
        peer.assertReceivesRaw(answer(2, BODY));
        assertAnswered(peer, 3, BODY);
    }

    private static void assertLeft(Failure failure, StartReport report) {
        assertEquals(0, report.adopted(), report::toString);
        assertEquals(List.of(), report.refused());
        assertEquals(1, report.left().size());
        assertTrue(report.left().get(0).contains(failure.reason), report.left()::toString);
    }

    @ParameterizedTest
    @EnumSource
    void connectionStaysInTheEscrow(Failure failure) throws Exception {
        serve(false);
        ServerHandover next = next(server, counting(failure.protocol()));
        assertLeft(failure, next.startReport());
        assertEquals(0, next.connections());
        ServerHandover last = next(next, counting(new CountingProtocol()));
        assertEquals(1, last.startReport().adopted());
        assertGoesOn();
    }

    @ParameterizedTest
    @EnumSource
    void connectionStaysWithTheOldProcessInWaves(Failure failure) throws Exception {
        serve(true);
        CompletableFuture<ServerHandover> starting =
                counting(failure.protocol(), true).start();
        HandoverReport report = handOver(server);
        assertEquals(0, report.connections());
        assertEquals(1, report.staying().size());
        String reason = report.staying().get(0).reason();
        assertTrue(reason.startsWith("the next process could not take it"), reason);
        ServerHandover next = add(starting.get(TIME.toSeconds(), TimeUnit.SECONDS));
        assertLeft(failure, next.startReport());
        assertEquals(0, next.connections());
        assertGoesOn();
        assertFalse(server.drained().isDone());
        peer.close();
        server.drained().join();
    }

    @Test
    void acceptedConnectionEndsWhenItCannotBeRecognised() throws Exception {
        server = start(counting(Failure.RECOGNISE_THROWS.protocol()));
        connect().assertEnds();
        awaitConnections(server, 0);
        // The others go on.
        connect().assertEnds();
    }
}
