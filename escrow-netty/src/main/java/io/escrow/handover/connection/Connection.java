package io.escrow.handover.connection;

import io.escrow.Deposit;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.PendingWork;
import io.escrow.handover.protocol.ProtocolContext;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.Futures;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.util.Collection;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps one connection of a server that can be handed over, and holds it still while it changes hands. Unless it says
 * otherwise, a method is called on the channel's event loop.
 */
public final class Connection implements ProtocolContext {

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

        /** Returns what the peer is to be told if no process claims the connection, which is at rest; may be empty. */
        byte[] farewell(Connection connection);
    }

    private final Owner owner;
    private final ConnectionRules rules;
    private final String listener;
    private final boolean adopted;
    private final ChannelSlot slot;
    private final DeferredEvents deferred = new DeferredEvents();
    private final ConnectionHandler handler = new ConnectionHandler(this, deferred);
    private final CrashRecord crashRecord;
    private final CompletableFuture<Void> held = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private ChannelHandlerContext ctx;
    private MessageGate gate;
    private ConnectionSaver saver;

    private volatile ConnectionState state;

    /** What an adopted connection is restored from; {@code null} when it goes on. */
    private ChannelRecord restoredFrom;

    /** How the options of an adopted socket were; {@code null} for an accepted one. */
    private SocketOptions socketOptions;

    /** Why the pipeline of an adopted connection could not be built; {@code null} if it could. */
    private Throwable notBuilt;

    private boolean activated;
    private ConnectionRestorer restorer;
    private CompletableFuture<Void> restored;

    /** What was taken out of this connection; {@code null} unless it is {@link ConnectionState#APART}. */
    private ChannelRecord takenApart;

    private final ReadPause pause = new ReadPause();
    private String whyBusy;
    private long restedMillis;
    private int begunAtRest;

    /**
     * Describes a connection.
     *
     * @param listener the name of the listener that it came from
     * @param slot its slot in the escrow
     * @param restoredFrom what an adopted connection is restored from; {@code null} for a fresh one
     */
    public Connection(
            Owner owner, ConnectionRules rules, String listener, ChannelSlot slot, ChannelRecord restoredFrom) {
        this.owner = owner;
        this.rules = rules;
        this.listener = listener;
        this.slot = slot;
        this.restoredFrom = restoredFrom;
        this.adopted = restoredFrom != null;
        this.crashRecord = new CrashRecord(
                adopted
                        ? restoredFrom.withoutBytes()
                        : ChannelRecord.builder(listener, false).build());
        this.state = adopted ? ConnectionState.HELD : ConnectionState.SERVING;
    }

    /** Returns the connection of a channel, by any thread; {@code null} if the channel has none. */
    public static Connection of(Channel channel) {
        ConnectionHandler handler = channel.pipeline().get(ConnectionHandler.class);
        return handler == null ? null : handler.connection();
    }

    /** Puts the connection at the head of the pipeline of a fresh channel that is not registered yet. */
    public void install(Channel channel) {
        channel.pipeline().addFirst(ConnectionHandler.NAME, handler);
    }

    /**
     * Makes a channel of the descriptor of an adopted connection, for the pipeline of its listener. By any thread.
     *
     * @param descriptor the descriptor, which the channel owns from now on; closed if this fails
     * @param childOptions the options that the bootstrap of the listener is going to set
     * @return the channel; inactive, and closed, if the peer has reset the connection
     */
    public Channel adopt(Channel listenerChannel, int descriptor, Collection<ChannelOption<?>> childOptions)
            throws IOException {
        Channel channel;
        try {
            Boolean noDelay =
                    ChildChannel.isUnix(listenerChannel) ? null : (Boolean) new Socket(descriptor).isTcpNoDelay();
            channel = ChildChannel.of(listenerChannel, descriptor);
            socketOptions = new SocketOptions(channel, noDelay, childOptions);
        } catch (IOException | RuntimeException e) {
            new FileDescriptor(descriptor).close();
            throw e;
        }
        if (channel.isActive()) {
            install(channel);
            channel.closeFuture().addListener(f -> held.complete(null));
        } else {
            // After a reset, Netty would never say that the channel is inactive.
            channel.unsafe().closeForcibly();
        }
        return channel;
    }

    /** Is called when the channel of an adopted connection went through the pipeline of its listener. By its thread. */
    public void given(Channel channel) {
        if (!channel.isOpen()) {
            // Without an event loop, Netty tells nobody.
            held.complete(null);
        }
    }

    /** Returns whether the channel of an adopted connection has got an event loop. By any thread, when it is held. */
    public boolean isRegistered() {
        return ctx != null;
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
        return adopted;
    }

    /** Returns the state, by any thread. */
    public ConnectionState state() {
        return state;
    }

    /** Returns this connection's slot in the escrow, by any thread. */
    public ChannelSlot slot() {
        return slot;
    }

    /** Returns a future that is done when an adopted connection is held, or has ended. By any thread. */
    public CompletableFuture<Void> held() {
        return held;
    }

    /** Returns a future that is done when the connection has ended, and its slot is free. By any thread. */
    public CompletableFuture<Void> ended() {
        return ended;
    }

    /** Returns what the protocol has for the peer of a connection at rest that no process claims; may be empty. */
    public byte[] protocolFarewell() {
        return gate == null ? Deposit.NO_BYTES : gate.farewell();
    }

    @Override
    public ChannelPipeline pipeline() {
        return ctx.pipeline();
    }

    @Override
    public boolean isEscrowed() {
        return slot.mayBeFilled();
    }

    @Override
    public CompletableFuture<Void> checkpoint() {
        return Futures.expose(owner.checkpoint(this));
    }

    /** Changes the state; nothing else does. */
    private void to(ConnectionState next) {
        if (!ctx.executor().inEventLoop()) {
            throw new IllegalStateException("the state of " + channel() + " changes on its event loop only");
        }
        if (!state.mayBecome(next)) {
            throw new IllegalStateException("a connection that is " + state + " can't become " + next);
        }
        state = next;
    }

    void attached(ChannelHandlerContext context) {
        ctx = context;
        saver = new ConnectionSaver(channel(), null, rules.attributes(), null);
        if (adopted) {
            try {
                // The bootstrap has set its own, and no handler has been added.
                socketOptions.restore(channel());
                rules.attributes().restore(channel(), restoredFrom);
            } catch (Throwable e) {
                notBuilt = e;
            }
        }
    }

    /** Returns whether an adopted connection is between its registration and {@code channelActive}. */
    boolean isBeingBuilt() {
        return state == ConnectionState.HELD && !activated;
    }

    /** Notes that the channel was to be closed while its pipeline was built: Netty does so after an exception. */
    void closedWhileBuilt() {
        notBuilt = new IllegalStateException(
                "its pipeline could not be built: an exception was thrown, which is in the log, or the channel closed");
    }

    /** Returns why the pipeline of an adopted connection could not be built; {@code null} if it could. */
    public Throwable whyNotBuilt() {
        return notBuilt;
    }

    void activated() {
        activated = true;
        if (notBuilt != null) {
            DeferredReadAllocator.install(channel(), deferred);
            deferred.begin(channel());
            owner.opened(this);
            restored = CompletableFuture.failedFuture(notBuilt);
            held.complete(null);
            return;
        }
        Throwable notRecognised = null;
        try {
            gate = rules.protocols().install(this);
        } catch (Throwable e) {
            notRecognised = e;
        }
        saver = new ConnectionSaver(
                channel(), gate, rules.attributes(), WriteTrackers.install(channel(), rules.immovable()));
        owner.opened(this);
        if (notRecognised != null) {
            if (!adopted) {
                ctx.fireExceptionCaught(notRecognised);
                channel().close();
                return;
            }
            restored = CompletableFuture.failedFuture(notRecognised);
        }
        if (adopted) {
            DeferredReadAllocator.install(channel(), deferred);
            deferred.begin(channel());
            byte[] unsent = restoredFrom.get(ChannelRecord.UNSENT);
            if (unsent != null) {
                // Before anything that a handler may write.
                ctx.write(Unpooled.wrappedBuffer(unsent));
                deferred.flush();
            }
        }
        ctx.fireChannelActive();
        held.complete(null);
        escrowChange();
    }

    void inactivated() {
        if (state == ConnectionState.GONE || state == ConnectionState.ENDED) {
            return;
        }
        try {
            if (state == ConnectionState.HELD && restoredFrom != null) {
                if (restoredFrom.clean() || whyNotResumable() == null) {
                    // The handlers get what the peer has sent before it has gone.
                    restore();
                    begin();
                } else {
                    deferred.discard();
                }
            }
        } finally {
            if (state != ConnectionState.ENDED) {
                to(ConnectionState.ENDED);
                deferred.fireKept(ctx);
                held.complete(null);
                owner.ended(this).thenAccept(ended::complete);
            }
        }
    }

    /** Brings an adopted connection to where it was when it was saved; its bytes are not processed yet. */
    public CompletableFuture<Void> restore() {
        if (restored == null) {
            restorer = new ConnectionRestorer(ctx, gate, rules.attributes(), restoredFrom);
            restored = restorer.restore();
        }
        return restored;
    }

    /** Lets a restored connection go on from where it was. */
    public void begin() {
        if (state == ConnectionState.HELD && restoredFrom != null && isRestored()) {
            restoredFrom = null;
            restorer.feed(deferred);
            whenRegistered(() -> {
                if (state == ConnectionState.HELD) {
                    to(ConnectionState.SERVING);
                    endDeferral();
                    escrowChange();
                }
            });
        }
    }

    private boolean isRestored() {
        return restored != null && restored.isDone() && !restored.isCompletedExceptionally();
    }

    private void endDeferral() {
        deferred.end(ctx);
        ChannelPromise closeWanted = deferred.closeWanted();
        if (closeWanted != null) {
            handler.close(ctx, closeWanted);
        }
    }

    /** Ends an adopted connection that is not to go on. */
    public void refuse() {
        restoredFrom = null;
        deferred.discard();
        if (state == ConnectionState.HELD) {
            to(ConnectionState.SERVING);
        }
        if (gate == null) {
            channel().close();
        } else {
            // A word of the protocol could come in the middle of what its process has sent before it died.
            gate.close();
        }
    }

    /**
     * Lets the protocol tell the peer of a connection that stays that the server ends.
     *
     * @return a future that is done, on the event loop, when the connection may be closed
     */
    public CompletableFuture<Void> end() {
        return gate == null ? new CompletableFuture<>() : gate.end();
    }

    /** Ends an adopted connection that can't go on with a reset, past its handlers: they know nothing of its past. */
    public void reset() {
        restoredFrom = null;
        deferred.discard();
        channel().config().setOption(ChannelOption.SO_LINGER, 0);
        channel().unsafe().close(channel().voidPromise());
    }

    /** Returns why an adopted connection, found after a crash, can't go on in its fresh pipeline; {@code null} if it can. */
    public String whyNotResumable() {
        String reason = restoredFrom == null ? null : restoredFrom.whyImmovable();
        return reason == null ? whyImmovable() : reason;
    }

    /** Is called after each read. */
    void readCompleted() {
        if (crashRecord.isDue()) {
            escrowChange();
        }
    }

    /** Tells the escrow if the connection can't be moved any more, or again. */
    private void escrowChange() {
        if (state == ConnectionState.SERVING && slot.mayBeFilled()) {
            ChannelRecord changed = crashRecord.change(whyImmovable());
            if (changed != null) {
                slot.store(null, changed);
            }
        }
    }

    /** Returns why this connection can't be moved at all; {@code null} if it can. */
    public String whyImmovable() {
        return saver.whyImmovable(rules.immovable());
    }

    /** Returns the executors on which handlers run that do not run on the event loop. */
    public PipelineExecutors executors() {
        return PipelineExecutors.of(channel());
    }

    /** Returns whether nothing is half-read or half-processed. */
    public boolean isAtRest() {
        return saver.whyBusy() == null && saver.whyWorking() == null;
    }

    /** Returns why the connection did not come to rest when that was last tried, or was not at rest any more. */
    public String whyBusy() {
        return whyBusy;
    }

    /** Stops reading if nothing is half-way through; returns whether it did. If not, no new message begins. */
    public boolean tryToRest() {
        if (gate != null) {
            gate.shut();
        }
        if (state == ConnectionState.SERVING) {
            ctx.flush();
            // Before it is asked whether all work is done: then none of what is counted here can be under way.
            int begun = PendingWork.begun(channel());
            if (hasComeToRest()) {
                to(ConnectionState.RESTING);
                deferred.begin(channel());
                restedMillis = System.currentTimeMillis();
                begunAtRest = begun;
                stopAutoRead();
            }
        }
        return state == ConnectionState.RESTING;
    }

    /** Ends the read that epoll waits for. Whether there is to be another one stays as the handlers have said. */
    private void stopAutoRead() {
        if (channel().config().isAutoRead()) {
            channel().config().setAutoRead(false);
            channel().config().setAutoRead(true);
        }
    }

    /** Returns whether nothing is under way. What is, is to end before more comes in, if it needs nothing more. */
    private boolean hasComeToRest() {
        whyBusy = saver.whyBusy();
        if (whyBusy == null) {
            whyBusy = saver.whyWorking();
            if (whyBusy != null && gate == null) {
                pause.begin(channel().config());
            }
        }
        return whyBusy == null;
    }

    /** Returns whether a connection that came to rest still is, or has ended; if not, it goes on. */
    public boolean remainsAtRest() {
        if (!channel().isActive()) {
            return true;
        }
        boolean worked = PendingWork.begun(channel()) != begunAtRest;
        if (isAtRest() && !worked) {
            return true;
        }
        goOn();
        if (hasComeToRest()) {
            whyBusy = "a piece of work was begun meanwhile";
        }
        return false;
    }

    /** Returns what the escrow is to know about the connection after a crash. */
    public ChannelRecord crashRecord() {
        return crashRecord.renew(saver.checkpoint(listener), whyImmovable());
    }

    /** Takes a connection that is at rest and off its event loop apart; returns {@code null} if it has ended. */
    public ChannelRecord takeApart() {
        if (!channel().isOpen()) {
            fireEnd();
        }
        if (state != ConnectionState.RESTING || !channel().isActive()) {
            return null;
        }
        to(ConnectionState.APART);
        takenApart = saver.takeApart(listener, restedMillis, deferred, owner.farewell(this));
        return takenApart;
    }

    /** Serves again as if nothing had been asked. */
    public CompletableFuture<Void> comeBack() {
        CompletableFuture<Void> done = new CompletableFuture<>();
        whenRegistered(() -> {
            try {
                goOn();
                done.complete(null);
            } catch (Throwable e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    /** Does something when the channel is registered with its loop, and with epoll. */
    private void whenRegistered(Runnable next) {
        if (!channel().isOpen()) {
            fireEnd();
            next.run();
        } else if (!channel().isRegistered()) {
            channel().eventLoop().register(channel()).addListener(f -> next.run());
        } else if (deferred.hasLeftEpoll()) {
            channel().deregister().addListener(f -> whenRegistered(next));
        } else {
            next.run();
        }
    }

    /** Goes on after a rest, or when it need not come to rest any more. */
    public void goOn() {
        if (state == ConnectionState.RESTING || state == ConnectionState.APART) {
            to(ConnectionState.SERVING);
            if (takenApart != null) {
                ConnectionSaver.feedDecoders(pipeline(), takenApart);
                takenApart = null;
            }
            // Off its loop, the channel did not learn when there was room again.
            deferred.flush();
            endDeferral();
        }
        if (state == ConnectionState.SERVING) {
            pause.end(channel().config());
            if (gate != null) {
                gate.open();
            }
        }
    }

    /** Gives the connection up without a word to its peer. */
    public void letGo() {
        if (state == ConnectionState.ENDED) {
            return;
        }
        to(ConnectionState.GONE);
        restoredFrom = null;
        ctx.fireUserEventTriggered(HandoverEvent.HANDED_OVER);
        if (takenApart != null) {
            takenApart = null;
            saver.failMovedWrites();
        }
        ChannelPromise closeWanted = deferred.closeWanted();
        if (closeWanted != null) {
            // It was to be closed, so the next process must not go on with it.
            PeerShutdown.shutDown(channel());
        }
        // Not through the pipeline, in which handlers would say goodbye.
        channel().unsafe().close(closeWanted == null ? channel().voidPromise() : closeWanted);
        fireEnd();
    }

    /** Fires what Netty does not fire when a channel is closed that was deregistered before. */
    private void fireEnd() {
        if (!channel().isRegistered() && !ctx.isRemoved()) {
            channel().pipeline().fireChannelInactive();
            channel().pipeline().fireChannelUnregistered();
        }
    }
}
