package io.escrow.handover.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import java.util.concurrent.CompletableFuture;

/**
 * Knows one connection of a {@link Protocol}: where its messages begin and end, when it is at rest, and what the next
 * process needs to go on with it.
 *
 * <p>All methods are called on the connection's event loop. The library puts a gate before {@link #firstHandler()}, which
 * keeps the bytes that come in until {@link #next} lets them through. While the connection comes to rest, no new message
 * begins; what is at rest has whole messages only behind the gate.
 */
public interface ProtocolConnection {

    /** The longest part of a message, in bytes, that is to be kept until it is complete: 64 KiB. */
    int MAX_KEPT = 64 * 1024;

    /**
     * Returns the handler of this protocol that is nearest to the socket. Called once.
     *
     * @return a handler of the pipeline
     */
    ChannelHandler firstHandler();

    /**
     * Returns the connection of the protocol that has taken the place of this one, as after an upgrade. Asked before
     * each other call.
     *
     * @return this object as long as the protocol has not changed
     */
    default ProtocolConnection current() {
        return this;
    }

    /**
     * Returns how many of some bytes may go to the decoder now: whole messages, and parts of messages that are too long
     * to be kept. The bytes are not consumed. The caller lets exactly so many through, then calls {@link #passed}; each
     * byte is shown until it is let through.
     *
     * @param in the bytes that have come in and were not let through
     * @param mayBegin whether a new message may begin; if not, only the rest of a message that has begun may go
     * @return the number, 0 to {@code in.readableBytes()}; 0 if more bytes are needed, or no message may begin. Bytes
     *     that make no sense are best let through, so that the decoder complains of them: then {@link #whyImmovable}
     *     gives the reason
     */
    int next(ByteBuf in, boolean mayBegin);

    /** Is called when the bytes of the last {@link #next} have been through the pipeline. Does nothing by default. */
    default void passed() {}

    /**
     * Returns whether a handler gets its bytes only from the gate, so that at rest it has collected none. The collected
     * bytes of other decoders are taken out of them. Of an encoder, returns whether it has no state at rest.
     *
     * @param decoder a decoder or encoder of the pipeline
     * @return whether this protocol frames its input
     */
    boolean feeds(ChannelHandler decoder);

    /**
     * Returns why this connection can't be moved at all, now or later. Asked at a handover; in crash-safe mode also when
     * the pipeline is built, after some of the reads, and at each checkpoint: a connection with a reason is not resumed
     * after a crash, but reset.
     *
     * @return the reason, for the report; {@code null} if it can be moved, which is the default
     */
    default String whyImmovable() {
        return null;
    }

    /**
     * Returns why this connection can't go on after a crash of this process, although it can be moved: a part of its state is
     * nowhere but in the memory of this process. Asked in crash-safe mode, and in waves, as {@link #whyImmovable} is; with a
     * reason, the connection is reset after a crash, and {@link #save} is not called at checkpoints.
     *
     * @return the reason, for the report; {@code null} if it can go on, which is the default
     */
    default String whyLostInCrash() {
        return null;
    }

    /**
     * Returns whether no message is half-way through, in either direction, and no request is unanswered. Asked again and
     * again until the handover's deadline; in crash-safe mode also after each read and each flush: a connection that was
     * not at rest when its process died is reset.
     *
     * @return whether the connection can be moved now
     */
    boolean isAtRest();

    /**
     * Writes what {@link #restore} needs. Called when the connection is at rest, and at each checkpoint. The connection may go
     * on afterwards in this process. When nothing is written, the next process goes on with a fresh pipeline as it is.
     *
     * @param out where to write; belongs to the caller
     */
    default void save(ByteBuf out) {}

    /**
     * Brings the fresh pipeline of an adopted connection to where it was, without a word to the peer. Called before the
     * connection's first read, on the object that {@link Protocol#recognise} has just returned; not called when {@link
     * #save} wrote nothing.
     *
     * @param in what {@link #save} wrote; belongs to the caller, and can be read only during the call
     * @return a future that is done, on the event loop, when the pipeline is as it was; it fails when the connection
     *     can't go on in this process
     */
    default CompletableFuture<Void> restore(ByteBuf in) {
        return CompletableFuture.completedFuture(null);
    }

    /**
     * Returns how this protocol says, at rest, that the server is gone for now and the peer may come again.
     *
     * @return a whole message; empty, the default, for nothing
     */
    default byte[] farewell() {
        return new byte[0];
    }

    /**
     * Announces to the peer of a connection that stays that the server ends, and that it may come again. Called towards the
     * end of the time to drain, at whatever the connection is doing: a protocol that can't say it in the middle of a
     * message says nothing.
     *
     * @return a future that is done, on the event loop, when the connection may be closed; at the end of the time to drain
     *     it is closed all the same. By default nothing is said, and the future is never done
     */
    default CompletableFuture<Void> end() {
        return new CompletableFuture<>();
    }
}
