package io.escrow.daemon.control;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.control.Json;
import io.escrow.control.SlotDetails;
import io.escrow.daemon.store.RetainedSlot;
import io.escrow.daemon.store.StoredSlot;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpContent;
import java.io.IOException;
import java.util.Base64;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SlotAnswerTest {

    private static final int LARGE = 10 << 20;

    private final OperatorChannel channel = new OperatorChannel();

    /** Takes nothing until the operator reads. */
    private static final class OperatorChannel extends EmbeddedChannel {
        private boolean reads;

        OperatorChannel() {
            super(new ChannelInboundHandlerAdapter());
        }

        @Override
        protected void doWrite(ChannelOutboundBuffer in) throws Exception {
            if (reads) {
                super.doWrite(in);
            }
        }

        long pending() {
            return unsafe().outboundBuffer().totalPendingWriteBytes();
        }
    }

    private static byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (i * 31);
        }
        return bytes;
    }

    private void begin(byte[] payload, byte[] farewell) throws IOException {
        StoredSlot slot = new StoredSlot(-1, payload, farewell, null);
        try (SlotInspector inspection = new SlotInspector()) {
            SlotDetails details = inspection.details(new RetainedSlot(1, 7, slot));
            new SlotAnswer(channel.pipeline().firstContext(), details, slot).begin();
        }
    }

    private SlotDetails answer() {
        StringBuilder json = new StringBuilder();
        for (Object sent = channel.readOutbound(); sent != null; sent = channel.readOutbound()) {
            if (sent instanceof HttpContent content) {
                json.append(content.content().toString(UTF_8));
                content.release();
            }
        }
        assertTrue(json.toString().endsWith("}\n"), "the end of the answer");
        return Json.read(json.toString(), SlotDetails.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 24 * 1024 - 1, 24 * 1024, 24 * 1024 + 1, 100_000})
    void hasAllBytes(int length) throws IOException {
        channel.reads = true;
        begin(bytes(length), bytes(length / 2));

        SlotDetails details = answer();
        assertArrayEquals(bytes(length), Base64.getDecoder().decode(details.payload()));
        assertArrayEquals(bytes(length / 2), Base64.getDecoder().decode(details.farewell()));
        assertEquals(length, details.slot().payloadBytes());
        assertEquals(Map.of(), details.descriptor());
        assertTrue(!channel.isOpen(), "the connection is closed behind the answer");
    }

    @Test
    void waitsForAnOperatorWhoDoesNotRead() throws IOException {
        begin(bytes(LARGE), new byte[0]);
        assertTrue(channel.pending() < 256 * 1024, () -> channel.pending() + " bytes in memory");

        channel.reads = true;
        channel.flush();
        assertArrayEquals(bytes(LARGE), Base64.getDecoder().decode(answer().payload()));
    }

    @Test
    void endsWithItsConnection() throws IOException {
        begin(bytes(LARGE), new byte[0]);
        channel.close();
        channel.runPendingTasks();
        channel.releaseOutbound();
        assertEquals(null, channel.unsafe().outboundBuffer());
    }
}
