package io.escrow.daemon.control;

import io.escrow.SlotKey;
import io.escrow.control.Json;
import io.escrow.daemon.store.RetainedSlot;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.List;

/**
 * Sends a line for each slot, as fast as the operator reads. Works page by page, so that each task on the daemon's
 * event loop is short. A slot that changes meanwhile may or may not be included. Runs on the operators' event loop.
 */
final class SlotListing extends ChannelInboundHandlerAdapter {

    private final ChannelHandlerContext http;
    private final ControlService service;
    private final int lastTag;
    private final SlotInspector inspection = new SlotInspector();
    private SlotKey next;
    private boolean waiting;

    /**
     * Creates a listing that has not begun.
     *
     * @param http the connection of the operator
     * @param from the first slot that is wanted
     * @param lastTag the last tag that is wanted
     */
    SlotListing(ChannelHandlerContext http, ControlService service, SlotKey from, int lastTag) {
        this.http = http;
        this.service = service;
        this.next = from;
        this.lastTag = lastTag;
    }

    void begin() {
        http.pipeline().addLast(this);
        http.channel().closeFuture().addListener(f -> inspection.close());
        HttpResponses.beginLines(http);
        sendPage();
    }

    private void sendPage() {
        waiting = !http.channel().isWritable();
        if (!waiting && http.channel().isActive()) {
            service.page(next, lastTag, http.executor(), this::send);
        }
    }

    private void send(List<RetainedSlot> page) {
        StringBuilder lines = new StringBuilder();
        try {
            if (http.channel().isActive()) {
                page.forEach(
                        held -> lines.append(Json.write(inspection.view(held))).append('\n'));
            }
        } catch (RuntimeException e) {
            // In the middle of a response no error can be sent. The operator sees that the response is incomplete.
            http.close();
            return;
        } finally {
            page.forEach(RetainedSlot::close);
        }
        if (!page.isEmpty()) {
            HttpResponses.sendLines(http, lines.toString());
        }
        if (page.size() < ControlService.PAGE) {
            HttpResponses.endLines(http);
            return;
        }
        RetainedSlot last = page.get(page.size() - 1);
        next = last.index() == Integer.MAX_VALUE
                ? new SlotKey(last.tag() + 1, 0)
                : new SlotKey(last.tag(), last.index() + 1);
        sendPage();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (waiting) {
            sendPage();
        }
        ctx.fireChannelWritabilityChanged();
    }
}
