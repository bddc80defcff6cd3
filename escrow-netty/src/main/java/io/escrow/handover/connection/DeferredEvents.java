package io.escrow.handover.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;

/**
 * Keeps what comes in while a connection is not served, and remembers what is asked for, until the connection goes on.
 * Lives on the channel's event loop.
 */
final class DeferredEvents {

    /** Bytes that another process has decrypted: not for the handler of TLS. */
    private record Decrypted(ByteBuf bytes, Consumer<ByteBuf> behindTls) {}

    /** As much comes in at most, most of the time. */
    private static final int FEW = 2;

    /** {@code null} if nothing is kept, as ever but when a connection moves. */
    private Deque<Object> kept;

    private boolean deferring;
    private boolean leftEpoll;
    private boolean hangUpsIgnored;
    private boolean halfClosure;
    private boolean peerHungUp;
    private boolean readAsked;
    private boolean flushWanted;
    private ChannelPromise closeWanted;

    /** Begins. From now on, a peer that hangs up does not end the connection: what it sent before is not answered yet. */
    void begin(Channel channel) {
        deferring = true;
        halfClosure = Boolean.TRUE.equals(channel.config().getOption(ChannelOption.ALLOW_HALF_CLOSURE));
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    }

    /** Has hang-ups not even reported, where that makes Netty read all the same. To be called before the channel is registered. */
    void ignoreHangUps(Channel channel) {
        hangUpsIgnored = HangUpEvents.ignore(channel);
        leftEpoll |= hangUpsIgnored;
    }

    /** Has hang-ups reported again. To be called before the channel is registered anew. */
    void reportHangUps(Channel channel) {
        if (hangUpsIgnored) {
            hangUpsIgnored = false;
            HangUpEvents.report(channel);
        }
    }

    /** Keeps what came in all the same: a hang-up makes Netty read, whatever auto-read says. */
    void keep(Object msg) {
        leftEpoll = true;
        kept().add(msg);
    }

    private Deque<Object> kept() {
        if (kept == null) {
            kept = new ArrayDeque<>(FEW);
        }
        return kept;
    }

    /** Keeps what was read in the process before, until a handler asks for it. */
    void restore(ByteBuf bytes) {
        kept().addFirst(bytes);
    }

    /** Keeps what another process has decrypted, until it is asked for behind TLS. Comes before what is kept by now. */
    void restoreDecrypted(ByteBuf bytes, Consumer<ByteBuf> behindTls) {
        kept().addFirst(new Decrypted(bytes, behindTls));
    }

    /** Returns whether something came in that no handler has got yet. */
    boolean hasKept() {
        return kept != null;
    }

    /** Returns whether a read that happens all the same is to find nothing. */
    boolean holdsReadBack() {
        leftEpoll |= deferring;
        return deferring;
    }

    /**
     * Returns whether epoll may have to learn of the channel anew. Netty 4.2.18 takes a channel out of epoll when its peer has
     * hung up and nothing else is waited for, and can't put it back then.
     */
    boolean hasLeftEpoll() {
        return leftEpoll;
    }

    void peerHungUp() {
        leftEpoll = true;
        peerHungUp = true;
    }

    /** Notes that a read is asked for with auto-read off. A channel that leaves epoll forgets it. */
    void read() {
        readAsked = true;
    }

    /** Notes that the handlers get what they have asked for. */
    void readDone() {
        readAsked = false;
    }

    void flush() {
        flushWanted = true;
    }

    void close(ChannelPromise promise) {
        if (closeWanted == null) {
            closeWanted = promise;
        } else {
            promise.channel().closeFuture().addListener(f -> promise.trySuccess());
        }
    }

    /** Returns the promise of the first close that was asked for; {@code null} if none was. */
    ChannelPromise closeWanted() {
        return closeWanted;
    }

    /** Does everything that was asked for, except closing. What came in waits on if nobody reads. */
    void end(ChannelHandlerContext ctx) {
        Channel channel = ctx.channel();
        boolean autoRead = channel.config().isAutoRead();
        deferring = false;
        leftEpoll = false;
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, halfClosure);
        if (readAsked || autoRead || peerHungUp) {
            fireKept(ctx);
        }
        if (flushWanted) {
            flushWanted = false;
            ctx.flush();
        }
        if ((readAsked || autoRead) && !peerHungUp && channel.isActive()) {
            ctx.read();
        }
        if (peerHungUp) {
            peerHungUp = false;
            if (halfClosure) {
                ctx.fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
                ctx.fireUserEventTriggered(ChannelInputShutdownReadComplete.INSTANCE);
            } else {
                channel.unsafe().close(channel.voidPromise());
            }
        }
    }

    /** Takes the next of what came in; {@code null} if nothing is left. */
    private Object poll() {
        Object next = kept == null ? null : kept.poll();
        if (kept != null && kept.isEmpty()) {
            kept = null;
        }
        return next;
    }

    /** Fires what came in. */
    void fireKept(ChannelHandlerContext ctx) {
        if (kept != null) {
            readAsked = false;
            for (Object msg = poll(); msg != null; msg = poll()) {
                if (msg instanceof Decrypted decrypted) {
                    decrypted.behindTls().accept(decrypted.bytes());
                } else {
                    ctx.fireChannelRead(msg);
                }
            }
            ctx.fireChannelReadComplete();
        }
    }

    /** Copies the bytes that came in, and keeps them. */
    void copyKept(ByteBuf out) {
        copyKept(out, out);
    }

    /** Copies the bytes that came in, and keeps them: those that were decrypted, and those as the peer has sent them. */
    void copyKept(ByteBuf decrypted, ByteBuf received) {
        for (Object msg : kept == null ? List.of() : kept) {
            if (msg instanceof ByteBuf bytes) {
                received.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
            } else if (msg instanceof Decrypted plain) {
                decrypted.writeBytes(
                        plain.bytes(),
                        plain.bytes().readerIndex(),
                        plain.bytes().readableBytes());
            }
        }
    }

    /** Forgets what came in. */
    void discard() {
        for (Object msg = poll(); msg != null; msg = poll()) {
            ReferenceCountUtil.release(msg instanceof Decrypted decrypted ? decrypted.bytes() : msg);
        }
    }
}
