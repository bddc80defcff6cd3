package io.escrow.handover;

import io.escrow.handover.connection.Connection;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.EventLoops;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/** Puts a {@link Connection} at the head of the pipeline of each channel that a listener accepts. */
final class AcceptHandler extends ChannelInboundHandlerAdapter {

    private static final Logger logger = HandoverLog.LOGGER;

    private final HandoverContext server;
    private final String listener;
    private final ChannelRecord fresh;
    /** Those that were accepted in this turn and are not escrowed yet. */
    private final Queue<Arrival> accepted = new ArrayDeque<>();

    AcceptHandler(HandoverContext server, String listener) {
        this.server = server;
        this.listener = listener;
        this.fresh = ChannelRecord.builder(listener, false).build();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        Channel child = (Channel) msg;
        if (Connection.of(child) != null) {
            // It is adopted.
            ctx.fireChannelRead(child);
            return;
        }
        ChannelSlot slot = server.table().newConnectionSlot();
        Connection connection =
                Connection.accepted(server.connections(), server.configuration().rules(), listener, slot, child);
        server.connections().arriving(child);
        Arrival arrival = new Arrival(ctx, child, connection);
        if (server.connections().isEscrowing()) {
            accepted.add(arrival);
        } else {
            arrival.run();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        escrowAccepted();
        ctx.fireChannelReadComplete();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        escrowAccepted();
    }

    /** Stores what a turn has accepted at once: the first one wakes the client's event loop, and the packet has them all. */
    private void escrowAccepted() {
        for (Arrival arrival = accepted.poll(); arrival != null; arrival = accepted.poll()) {
            escrow(arrival);
        }
    }

    /** Lets a connection in when it is sent to the escrow. Before that nothing can close it, so it is the one that is sent. */
    private void escrow(Arrival arrival) {
        Channel child = arrival.child;
        ChannelSlot slot = arrival.accepted.slot();
        slot.store(EventLoops.descriptor(child), fresh, arrival).whenComplete((nothing, failure) -> {
            if (failure != null) {
                // First of all: the server serves it, whatever happens.
                arrival.run();
                // That the session is lost is said once, not for each connection.
                logger.atLevel(server.session().isLost() ? Level.DEBUG : Level.WARN)
                        .log("connection {} is not escrowed: {}", child, failure.getMessage());
            }
        });
    }

    /** Lets a connection in, once, on the listener's event loop. */
    private final class Arrival implements Runnable {
        private final ChannelHandlerContext ctx;
        private final Channel child;
        private final Connection accepted;
        private boolean done;

        Arrival(ChannelHandlerContext ctx, Channel child, Connection accepted) {
            this.ctx = ctx;
            this.child = child;
            this.accepted = accepted;
        }

        @Override
        public void run() {
            if (!ctx.executor().inEventLoop()) {
                try {
                    ctx.executor().execute(this);
                } catch (RejectedExecutionException e) {
                    // The event loop has ended meanwhile.
                    refuse();
                }
            } else if (!done) {
                done = true;
                if (ctx.channel().isOpen()) {
                    ctx.fireChannelRead(child);
                    if (!child.isOpen()) {
                        // The event loop that was to serve it has ended, or has not taken it.
                        accepted.endUnopened();
                    }
                } else {
                    refuse();
                }
            }
        }

        private void refuse() {
            if (child.isOpen()) {
                child.unsafe().closeForcibly();
                accepted.endUnopened();
                server.connections().arrived(child);
            }
        }
    }
}
