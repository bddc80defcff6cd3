package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.client.BlockingEscrow;
import io.escrow.handover.protocol.Movable;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Parts of records that a process has stored before it died, without the rest. */
class LeftoverChunksTest extends HandoverHarness {

    private static final int CONNECTIONS = 1;
    private static final int CHUNKS = 2;
    private static final int CHUNKS_OF_LARGE = 6;

    /** Has more state than a payload can hold. */
    private static final class Large extends ChannelDuplexHandler implements Movable {
        @Override
        public String section() {
            return "large";
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeZero(200_000);
        }
    }

    @BeforeEach
    void beCrashSafe() {
        crashSafe = true;
    }

    private ServerHandoverBuilder large() {
        return server(bootstrap(ch -> ch.pipeline().addLast(new Large())));
    }

    private static long chunks(ServerHandover server) {
        return server.context().client().tag(CHUNKS).join().used();
    }

    @Test
    void theNextStartFreesThoseThatNoSlotRefersTo() throws Exception {
        ServerHandover server = start(large());
        connect();
        checkpointOnly(server);
        assertEquals(CHUNKS_OF_LARGE, chunks(server));
        crash(server);
        try (BlockingEscrow escrow = connectToEscrow()) {
            for (int i = 0; i < 40; i++) {
                escrow.add(CHUNKS, 1_000 + i, new byte[1]);
            }
        }

        server = start(large());
        assertEquals(1, server.startReport().foundAfterCrash());
        assertEquals(CHUNKS_OF_LARGE, chunks(server));
        handOver(server);
        server = start(large());
        assertEquals(CHUNKS_OF_LARGE, chunks(server));
    }

    @Test
    void thoseOfARecordThatIsLeftStay() throws Exception {
        byte[] later = {0, 0, 0, 2, 0, 0, 0, 9, 3, 4, 9};
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.add(CONNECTIONS, 5, later);
            escrow.add(CHUNKS, 8, new byte[1]);
            escrow.add(CHUNKS, 9, new byte[1]);
            escrow.add(CHUNKS, 10, new byte[1]);
            escrow.add(CHUNKS, 11, new byte[1]);
        }
        ServerHandover server = start(large());
        assertEquals(1, server.startReport().left().size());
        assertEquals(2, chunks(server));
        server.close();
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.delete(CONNECTIONS, 5);
            escrow.delete(CHUNKS, 9);
            escrow.delete(CHUNKS, 10);
        }
    }

    @Test
    void nothingOfAServerThatIsClosedDuringACheckpointStays() throws Exception {
        for (int i = 0; i < 50; i++) {
            ServerHandover server = start(large());
            connect();
            server.checkpoint(onlyConnection(server).channel());
            server.close();
            try (BlockingEscrow escrow = connectToEscrow()) {
                await().until(() -> escrow.tag(CHUNKS).used() == 0);
                assertEquals(0, escrow.tag(CONNECTIONS).used());
            }
        }
    }
}
