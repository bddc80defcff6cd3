package io.escrow.daemon.control;

import io.escrow.control.Json;
import io.escrow.control.SlotDetails;
import io.escrow.daemon.store.StoredSlot;
import io.escrow.handover.store.HandoverRecord;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.Arrays;
import java.util.Base64;

/**
 * Sends a slot in detail, as fast as the operator reads: a payload may be large, and is encoded piece by piece. Runs on
 * the operators' event loop.
 */
final class SlotAnswer extends ChannelInboundHandlerAdapter {

    /** A multiple of three, so that only the last piece is padded. */
    private static final int PIECE = 24 * 1024;

    private final ChannelHandlerContext http;
    private final String head;
    private final byte[][] parts;
    private final String[] names = {"payload", "farewell"};
    private int part;
    private int position;
    private boolean waiting;

    /**
     * Creates an answer that has not begun.
     *
     * @param http the connection of the operator
     * @param details all but payload and farewell, which are {@code null}
     * @param slot has these two; keys that are not sealed are hidden
     */
    SlotAnswer(ChannelHandlerContext http, SlotDetails details, StoredSlot slot) {
        this.http = http;
        String json = Json.write(details);
        this.head = json.substring(0, json.length() - 1);
        this.parts = new byte[][] {HandoverRecord.withoutSecrets(slot.payload()), slot.farewell()};
    }

    void begin() {
        http.pipeline().addLast(this);
        HttpResponses.begin(http, HttpResponses.JSON);
        HttpResponses.sendLines(http, head);
        sendPieces();
    }

    private void sendPieces() {
        while (http.channel().isActive() && part < parts.length) {
            waiting = !http.channel().isWritable();
            if (waiting) {
                return;
            }
            HttpResponses.sendLines(http, nextPiece());
        }
        if (http.channel().isActive()) {
            HttpResponses.sendLines(http, "}\n");
            HttpResponses.endLines(http);
        }
    }

    private String nextPiece() {
        byte[] bytes = parts[part];
        int end = Math.min(position + PIECE, bytes.length);
        String before = position == 0 ? ",\"" + names[part] + "\":\"" : "";
        String encoded = Base64.getEncoder().encodeToString(Arrays.copyOfRange(bytes, position, end));
        boolean last = end == bytes.length;
        part += last ? 1 : 0;
        position = last ? 0 : end;
        return before + encoded + (last ? "\"" : "");
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (waiting) {
            waiting = false;
            sendPieces();
        }
        ctx.fireChannelWritabilityChanged();
    }
}
