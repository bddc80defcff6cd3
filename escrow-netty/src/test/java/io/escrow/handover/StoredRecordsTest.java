package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.client.BlockingEscrow;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.store.HandoverRecord;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Looks at the slots of servers as somebody does who has nothing but their payloads. */
class StoredRecordsTest extends HandoverHarness {

    private static final int SIZE = 100_000;

    private List<Optional<HandoverRecord>> records(int tag) throws Exception {
        List<Optional<HandoverRecord>> records = new ArrayList<>();
        try (BlockingEscrow escrow = connectToEscrow()) {
            escrow.getAll(tag, entry -> {
                try (Entry closed = entry) {
                    records.add(HandoverRecord.of(closed.payload()));
                }
            });
        }
        return records;
    }

    private ServerHandover startLarge() throws Exception {
        return start(server(bootstrap(ch -> ch.pipeline().addLast(new Large()))));
    }

    @Test
    void whatWasHandedOver() throws Exception {
        ServerHandover server = startLarge();
        connect(2);
        awaitConnections(server, 2);
        handOver(server);

        assertEquals(List.of(Optional.of(new HandoverRecord("echo", true, Map.of(), 0))), records(0));
        List<Optional<HandoverRecord>> connections = records(1);
        List<Optional<HandoverRecord>> chunks = records(2);
        assertEquals(2, connections.size());
        for (Optional<HandoverRecord> connection : connections) {
            HandoverRecord record = connection.orElseThrow();
            assertEquals("echo", record.listener());
            assertTrue(record.clean());
            assertEquals(SIZE, record.sections().get("handler:large"));
            assertEquals(chunks.size() / 2, record.chunks());
        }
        assertTrue(chunks.stream().allMatch(Optional::isEmpty), chunks::toString);
        startLarge();
    }

    @Test
    void whatACrashLeaves() throws Exception {
        crashSafe = true;
        ServerHandover server = startLarge();
        connect();
        awaitEscrowed(server, 1);
        crash(server);

        assertEquals(List.of(Optional.of(new HandoverRecord("echo", false, Map.of(), 0))), records(1));
        startLarge();
    }

    /** Has more state than fits into a slot. */
    private static final class Large extends ChannelInboundHandlerAdapter implements Movable {
        @Override
        public String section() {
            return "large";
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeZero(SIZE);
        }
    }
}
