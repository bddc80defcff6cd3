package io.escrow.daemon.follow;

import io.escrow.daemon.store.Store;
import io.netty.channel.ChannelHandlerContext;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Reports to the primary how many frames this process has carried out: at once while the primary waits for it before it sends more, and
 * later now and then, because each acknowledgement costs both processes as much as a change. Used on the link's event loop.
 */
final class Acknowledgements {

    /** How many frames are acknowledged without delay. */
    private static final int FRAMES = 512;

    /** How many bytes of frames are acknowledged without delay. */
    private static final int BYTES = 1 << 20;

    /** For how long fewer frames may stay unacknowledged. */
    private static final int MILLIS = 20;

    private final BooleanSupplier inStep;
    private final Store store;
    private long received;
    private long acknowledged;
    private long bytes;
    private boolean soon;

    /**
     * Creates an object that has counted nothing.
     *
     * @param inStep whether this process has everything, so that the primary does not wait
     */
    Acknowledgements(BooleanSupplier inStep, Store store) {
        this.inStep = inStep;
        this.store = store;
    }

    /** Counts a frame that is carried out before its packet ends. */
    void count(LinkFrame frame) {
        received++;
        bytes += frame.body().length();
    }

    /** Acknowledges what was counted, now or soon. */
    void endPacket(ChannelHandlerContext ctx) {
        if (!inStep.getAsBoolean() || received - acknowledged >= FRAMES || bytes >= BYTES) {
            send(ctx);
        } else if (!soon) {
            soon = true;
            ctx.executor()
                    .schedule(
                            () -> {
                                soon = false;
                                send(ctx);
                            },
                            MILLIS,
                            TimeUnit.MILLISECONDS);
        }
    }

    private void send(ChannelHandlerContext ctx) {
        if (received > acknowledged && ctx.channel().isActive()) {
            if (inStep.getAsBoolean()) {
                Steps.reached("acknowledging");
            } else if (store.slots() > 0) {
                Steps.reached("page");
            }
            acknowledged = received;
            bytes = 0;
            ctx.writeAndFlush(LinkFrame.of(LinkKind.ACK, Fields.write().put(received)), ctx.voidPromise());
        }
    }
}
