package io.escrow.handover.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;

/**
 * Lets a handler take part in the move of its connection to the next process.
 *
 * <p>A handler without state of its own needs none of this. All methods are called on the channel's event loop, also those
 * of a handler that was added with an executor of its own. {@link #isAtRest} may be called while that executor is at work, so
 * it must be safe for that: read a volatile field, for instance. It is called again when the executor has done everything that
 * was handed to it, and that happens before {@link #save} is called: {@code save} sees all of it, and runs alone, as does
 * {@link #restore}. What the handler schedules itself is not waited for: count it as {@link PendingWork}.
 *
 * <p>When a method throws something at a handover, the connection stays in this process and is drained. If the handlers of more
 * connections fail than can be moved, the handover fails. What {@link #restore} throws makes the next process leave the connection.
 */
public interface Movable extends ChannelHandler {

    /**
     * Names the section of the record that holds this handler's state.
     *
     * @return a name that is unique within the pipeline, and the same in the next version of the program
     */
    String section();

    /**
     * Returns why this connection can't be moved at all, now or later. Asked at a handover; in crash-safe mode also when
     * the pipeline is built, after some of the reads, and at each checkpoint: a connection with a reason is not resumed
     * after a crash, but reset. It may then be asked before {@code channelActive} or {@link #restore}.
     *
     * @param ctx the handler's context
     * @return the reason, for the report; {@code null} if it can be moved, which is the default
     */
    default String whyImmovable(ChannelHandlerContext ctx) {
        return null;
    }

    /**
     * Returns whether this handler has no request half-read or half-processed. Asked again and again until the
     * handover's deadline; while the answer is {@code false}, the connection goes on as usual.
     *
     * @param ctx the handler's context
     * @return {@code true} by default
     */
    default boolean isAtRest(ChannelHandlerContext ctx) {
        return true;
    }

    /**
     * Returns whether a version of the program must know the state that {@link #save} writes. A version without a
     * handler of this section then leaves the connection in the escrow, or with the process before, instead of going on
     * without the state.
     *
     * @return {@code false} by default: such a version ignores the state
     */
    default boolean mustBeRestored() {
        return false;
    }

    /**
     * Writes the state that {@link #restore} needs. Called when the connection is at rest, and at each checkpoint; the
     * handler stays in the pipeline, and in use if the handover fails.
     *
     * @param ctx the handler's context
     * @param out where to write it; belongs to the caller
     */
    default void save(ChannelHandlerContext ctx, ByteBuf out) {}

    /**
     * Takes over the state that the handler of the same section had in the process before. Called once, before the
     * connection's first read; not called when that handler saved nothing.
     *
     * @param ctx the handler's context
     * @param in the state; belongs to the caller
     */
    default void restore(ChannelHandlerContext ctx, ByteBuf in) {}
}
