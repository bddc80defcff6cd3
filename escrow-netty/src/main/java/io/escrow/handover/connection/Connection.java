package io.escrow.handover.connection;

import io.escrow.Deposit;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.ProtocolContext;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps one connection of a server that can be handed over, and holds it still while it changes hands. Unless it says
 * otherwise, a method is called on the channel's event loop.
 */
public class Connection implements ProtocolContext {

    /** Is called by its connections, on the event loop of each. */
    public interface Owner {

        /** Takes a connection in that has become active. */
        void opened(Connection connection);

        /**
         * Forgets a connection that has ended.
         *
         * @return a future that is done when its slot is free
         */
        CompletableFuture<Void> ended(Connection connection);

        /**
         * Renews what the escrow knows about a connection, if the server is crash-safe.
         *
         * @return a future that is done when the escrow has it
         */
        CompletableFuture<Void> checkpoint(Connection connection);

        /** Stores a connection that the escrow did not have for a while, if the server is crash-safe. */
        void store(Connection connection, ChannelRecord record);

        /** Returns where connections that are in the middle of something are marked; {@code null} if they are not. */
        CrashMarks marks();

        /** Returns what the peer is to be told if no process claims the connection, which is at rest; may be empty. */
        byte[] farewell(Connection connection);
    }

    private final Owner owner;
    private final String listener;
    private final ChannelSlot slot;
    private final DeferredEvents deferred = new DeferredEvents();
    private final CrashMark mark = new CrashMark();
    private final ConnectionHandler handler = new ConnectionHandler(this, deferred, mark);
    private final ConnectionParts parts;
    private final ConnectionRecords records;
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private ChannelHandlerContext ctx;

    private int reads;

    /** Whether it was taken out of the escrow, because it could not go on after a crash. */
    private boolean released;

    private volatile ConnectionState state;
    private volatile boolean opened;

    /** Describes a connection, with its first state and what the escrow has of it. */
    Connection(
            Owner owner,
            ConnectionRules rules,
            String listener,
            ChannelSlot slot,
            ConnectionState state,
            ChannelRecord escrowed) {
        this.owner = owner;
        this.listener = listener;
        this.slot = slot;
        this.state = state;
        this.parts = new ConnectionParts(rules, owner.marks(), mark);
        this.records = new ConnectionRecords(listener, rules, parts, escrowed);
    }

    /**
     * Puts a connection that was accepted at the head of the pipeline of its channel. The escrow must not have it yet.
     *
     * @param listener the name of the listener that it came from
     * @param slot its slot in the escrow
     */
    public static Connection accepted(
            Owner owner, ConnectionRules rules, String listener, ChannelSlot slot, Channel channel) {
        ChannelRecord fresh = ChannelRecord.builder(listener, false).build();
        Connection accepted = new Connection(owner, rules, listener, slot, ConnectionState.SERVING, fresh);
        accepted.parts.accepted(channel);
        accepted.install(channel);
        return accepted;
    }

    /** Returns the connection of a channel, by any thread; {@code null} if the channel has none. */
    public static Connection of(Channel channel) {
        ConnectionHandler handler = channel.pipeline().get(ConnectionHandler.class);
        return handler == null ? null : handler.connection();
    }

    /** Puts the connection at the head of the pipeline of a fresh channel that is not registered yet. */
    final void install(Channel channel) {
        EventLoops.levelTriggered(channel).pipeline().addFirst(ConnectionHandler.NAME, handler);
    }

    /** Returns the channel, by any thread. */
    public Channel channel() {
        return ctx.channel();
    }

    /** Returns the name of the listener that the connection came from, by any thread. */
    public String listener() {
        return listener;
    }

    /** Returns whether the connection was taken over from another process, by any thread. */
    public boolean isAdopted() {
        return false;
    }

    /** Returns the state, by any thread. */
    public ConnectionState state() {
        return state;
    }

    /** Returns this connection's slot in the escrow, by any thread. */
    public ChannelSlot slot() {
        return slot;
    }

    /** Returns a future that is done when the connection has ended, and its slot is free. By any thread. */
    public CompletableFuture<Void> ended() {
        return ended;
    }

    /** Returns what the protocol has for the peer of a connection at rest that no process claims; may be empty. */
    public byte[] protocolFarewell() {
        return gate() == null ? Deposit.NO_BYTES : gate().farewell();
    }

    @Override
    public ChannelPipeline pipeline() {
        return ctx.pipeline();
    }

    @Override
    public ChannelHandler find(String className) {
        return parts.find(className);
    }

    @Override
    public boolean isEscrowed() {
        // Of one that was taken out, it need not be certain that it is.
        return slot.mayBeFilled() || released;
    }

    @Override
    public CompletableFuture<Void> checkpoint() {
        return Futures.expose(owner.checkpoint(this));
    }

    /** Changes the state; nothing else does. */
    final void to(ConnectionState next) {
        if (!ctx.executor().inEventLoop()) {
            throw new IllegalStateException("the state of " + channel() + " changes on its event loop only");
        }
        if (!state.mayBecome(next)) {
            throw new IllegalStateException("a connection that is " + state + " can't become " + next);
        }
        state = next;
    }

    final ChannelHandlerContext context() {
        return ctx;
    }

    final ConnectionParts parts() {
        return parts;
    }

    final ConnectionRecords records() {
        return records;
    }

    final MessageGate gate() {
        return parts.gate();
    }

    final TlsLayer tls() {
        return parts.tls();
    }

    final CrashMark mark() {
        return mark;
    }

    final DeferredEvents deferred() {
        return deferred;
    }

    void attached(ChannelHandlerContext context) {
        ctx = context;
        parts.attached(this, context, new TlsOwner());
    }

    /** Notes that the channel is to be closed; returns whether it stays open, because its pipeline is not built yet. */
    boolean closedWhileBuilt() {
        return false;
    }

    void activated() {
        Throwable notRecognised = parts.recognise();
        opened();
        if (notRecognised == null) {
            ctx.fireChannelActive();
            escrowChange();
        } else {
            ctx.fireExceptionCaught(notRecognised);
            channel().close();
        }
    }

    final void opened() {
        opened = true;
        owner.opened(this);
    }

    /** Ends a connection whose channel was closed before it was active: Netty tells no handler so. By any thread. */
    public void endUnopened() {
        if (!opened) {
            owner.ended(this).thenAccept(ended::complete);
        }
    }

    void inactivated() {
        if (state != ConnectionState.GONE && state != ConnectionState.ENDED) {
            to(ConnectionState.ENDED);
            if (tls() != null) {
                tls().resume();
            }
            deferred.fireKept(ctx);
            owner.ended(this).thenAccept(ended::complete);
        }
    }

    /** Closes a connection whose event loop has ended, and has left it open. By any thread: there is no other any more. */
    public void loopEnded() {
        EventLoops.closeDescriptor(channel());
        if (state == ConnectionState.SERVING) {
            state = ConnectionState.ENDED;
            owner.ended(this).thenAccept(ended::complete);
        }
    }

    /** Serves a connection that was held. */
    final void serve() {
        LoopRegistration.whenRegistered(ctx, deferred, () -> {
            if (state == ConnectionState.HELD) {
                to(ConnectionState.SERVING);
                endDeferral();
                escrowChange();
                mark().update();
            }
        });
    }

    private void endDeferral() {
        if (tls() != null) {
            tls().open();
        }
        mark().read();
        deferred.end(ctx);
        mark().readCompleted();
        mark().flushed();
        ChannelPromise closeWanted = deferred.closeWanted();
        if (closeWanted != null && tls() != null) {
            tls().close(closeWanted);
        } else if (closeWanted != null) {
            handler.close(ctx, closeWanted);
        }
    }

    /**
     * Lets the protocol tell the peer of a connection that stays that the server ends.
     *
     * @return a future that is done, on the event loop, when the connection may be closed
     */
    public CompletableFuture<Void> end() {
        return gate() == null ? new CompletableFuture<>() : gate().end();
    }

    /** Lets the handlers have what came in while they did not read. */
    final void fireKept() {
        mark().read();
        deferred.fireKept(ctx);
        mark().readCompleted();
    }

    /** Is called after each read. */
    void readCompleted() {
        mark.readCompleted();
        boolean newKeys = mark.takeNewKeys();
        reads++;
        // Whether it could still go on.
        if (newKeys || Interval.isDue(reads)) {
            escrowChange();
            if (newKeys) {
                mark.update();
            }
        }
    }

    private boolean isRenewed() {
        return slot.mayBeFilled() && !slot.isEmptied();
    }

    /** Updates the crash record in the escrow when the connection can't be moved any more, or can be moved again. */
    private void escrowChange() {
        if (state != ConnectionState.SERVING || !(isRenewed() || released)) {
            return;
        }
        parts.saver().look();
        ChannelRecord changed = records.changed();
        mark().idle(records.isLost());
        if (changed == null) {
            return;
        }
        if (parts.keys() != null && !changed.hasKeys()) {
            // Its peer is to notice a crash at once: TLS tells it that this was no proper end.
            released = true;
            slot.remove();
        } else if (released) {
            released = false;
            owner.store(this, changed);
        } else {
            slot.store(null, changed);
        }
    }

    /** Returns why this connection can't be moved at all; {@code null} if it can. */
    public String whyImmovable() {
        parts.saver().look();
        return records.whyImmovable();
    }

    /** Returns the executors on which handlers run that do not run on the event loop. */
    public PipelineExecutors executors() {
        return parts.saver().look().executors();
    }

    /** Returns what {@link #executors} does, of a connection that has just come to rest. */
    public PipelineExecutors restingExecutors() {
        return parts.saver().executors();
    }

    /** Returns whether nothing is half-read or half-processed. */
    public boolean isAtRest() {
        parts.saver().look();
        return parts.rest().isNow();
    }

    /** Returns why the connection did not come to rest when that was last tried, or was not at rest any more. */
    public String whyBusy() {
        return parts.rest().whyBusy();
    }

    /** Stops reading if nothing is half-way through; returns whether it did. If not, no new message begins. */
    public boolean tryToRest() {
        Rest rest = parts.rest();
        rest.shut();
        if (state == ConnectionState.SERVING) {
            ctx.flush();
            mark().flushed();
            parts.saver().look();
            if (rest.tryToReach()) {
                to(ConnectionState.RESTING);
                deferred.begin(channel());
                rest.stopAutoRead();
            }
        }
        return state == ConnectionState.RESTING;
    }

    /** Returns whether a connection that came to rest still is, or has ended; if not, it goes on. */
    public boolean remainsAtRest() {
        if (!channel().isActive()) {
            return true;
        }
        parts.saver().look();
        if (parts.rest().remains()) {
            return true;
        }
        goOn();
        parts.rest().broken();
        return false;
    }

    /** Returns what the escrow is to know about the connection after a crash. */
    public ChannelRecord crashRecord() {
        parts.saver().look();
        ChannelRecord checkpoint = records.checkpoint();
        mark().idle(records.isLost());
        return checkpoint;
    }

    /** Takes a connection that is at rest and off its event loop apart; returns {@code null} if it has ended. */
    public ChannelRecord takeApart() {
        if (!channel().isOpen()) {
            LoopRegistration.fireEnd(ctx);
        }
        if (state != ConnectionState.RESTING || !channel().isActive()) {
            return null;
        }
        to(ConnectionState.APART);
        if (tls() != null) {
            // What it says of the keys is another process's from now on.
            mark().set();
            tls().encryptPending();
        }
        // What could be said in plaintext, the peer would take for an attack.
        byte[] farewell = tls() == null ? owner.farewell(this) : Deposit.NO_BYTES;
        parts.saver().look();
        return records.takeApart(deferred, farewell);
    }

    /** Serves again as if nothing had been asked. */
    public CompletableFuture<Void> comeBack() {
        CompletableFuture<Void> done = new CompletableFuture<>();
        LoopRegistration.whenRegistered(ctx, deferred, () -> {
            try {
                goOn();
                done.complete(null);
            } catch (Throwable e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    /** Goes on after a rest, or when it need not come to rest any more. */
    public void goOn() {
        if (state == ConnectionState.RESTING || state == ConnectionState.APART) {
            to(ConnectionState.SERVING);
            if (tls() != null) {
                tls().resume();
            }
            parts.saver().putBack();
            // Off its loop, the channel did not learn when there was room again.
            deferred.flush();
            endDeferral();
        }
        if (state == ConnectionState.SERVING) {
            parts.rest().end();
        }
    }

    /** Gives the connection up without a word to its peer. */
    public void letGo() {
        if (state == ConnectionState.ENDED) {
            return;
        }
        to(ConnectionState.GONE);
        if (tls() != null) {
            tls().destroy();
        }
        ctx.fireUserEventTriggered(HandoverEvent.HANDED_OVER);
        parts.saver().failMovedWrites();
        ChannelPromise closeWanted = deferred.closeWanted();
        if (closeWanted != null) {
            // It was to be closed, so the next process must not go on with it.
            PeerShutdown.shutDown(channel());
        }
        // Not through the pipeline, in which handlers would say goodbye.
        channel().unsafe().close(closeWanted == null ? channel().voidPromise() : closeWanted);
        LoopRegistration.fireEnd(ctx);
    }

    /** What the guard behind TLS asks. */
    private final class TlsOwner implements TlsGuard.Owner {
        @Override
        public boolean isSending() {
            return state.isSending();
        }

        @Override
        public boolean deferClose(ChannelPromise promise) {
            boolean apart = state == ConnectionState.APART;
            if (apart) {
                // With a close_notify, if the connection goes on here.
                deferred.close(promise);
            }
            return apart;
        }

        @Override
        public void contextChosen() {
            tls().contextChosen();
        }

        @Override
        public void handshakeDone() {
            parts.pipelineChanged();
        }
    }
}
