package io.escrow.handover.connection;

import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.util.Collection;
import java.util.concurrent.CompletableFuture;

/**
 * Puts a connection together again that another process has left. It is held until it is restored, and then goes on as any
 * other does. Unless it says otherwise, a method is called on the channel's event loop.
 */
public final class AdoptedConnection extends Connection {

    private final MovedAttributes attributes;
    private final boolean isSealing;
    private final CompletableFuture<Void> held = new CompletableFuture<>();

    /** What the connection is restored from; {@code null} when it goes on. */
    private ChannelRecord record;

    /** How the options of the socket were; {@code null} when they are so again. */
    private SocketOptions socketOptions;

    /** Why the pipeline could not be built; {@code null} if it could. */
    private Throwable notBuilt;

    private boolean activated;
    private ConnectionRestorer restorer;
    private volatile ChannelRecord settled;
    /** Why it can't go on after the crash of its process, as far as that one has left word; {@code null} if it can. */
    private String whyCrashed;

    private CompletableFuture<Void> restored;

    /**
     * Describes a connection.
     *
     * @param listener the name of the listener that it came from
     * @param slot its slot in the escrow
     * @param record what it is restored from
     */
    public AdoptedConnection(
            Owner owner, ConnectionRules rules, String listener, ChannelSlot slot, ChannelRecord record) {
        this(owner, rules, listener, slot, record, record.withoutBytes());
    }

    private AdoptedConnection(
            Owner owner,
            ConnectionRules rules,
            String listener,
            ChannelSlot slot,
            ChannelRecord record,
            ChannelRecord withoutBytes) {
        super(owner, rules, listener, slot, ConnectionState.HELD, withoutBytes);
        this.attributes = rules.attributes();
        this.isSealing = rules.seal().sealer().isSealing();
        this.record = record;
        this.settled = withoutBytes;
    }

    /**
     * Makes a channel of the descriptor of the connection, for the pipeline of its listener. By any thread.
     *
     * @param descriptor the descriptor, which the channel owns from now on; closed if this fails
     * @param childOptions the options that the bootstrap of the listener is going to set
     * @return the channel; inactive, and closed, if the peer has reset the connection
     */
    public Channel adopt(Channel listenerChannel, int descriptor, Collection<ChannelOption<?>> childOptions)
            throws IOException {
        Channel channel;
        try {
            if (isSealing) {
                records().cookie(SocketCookie.of(new FileDescriptor(descriptor)));
            }
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
            deferred().ignoreHangUps(channel);
            channel.closeFuture().addListener(f -> held.complete(null));
        } else {
            // After a reset, Netty would never say that the channel is inactive.
            channel.unsafe().closeForcibly();
        }
        return channel;
    }

    /** Is called when the channel went through the pipeline of its listener. By its thread. */
    public void given(Channel channel) {
        if (!channel.isOpen()) {
            // Without an event loop, Netty tells nobody.
            held.complete(null);
        }
    }

    /** Notes why the connection can't go on after the crash of its process; {@code null} if it can. Before it is given to its listener. */
    public void crashed(String whyNotResumable) {
        whyCrashed = whyNotResumable;
    }

    /** Returns a future that is done when the connection is held, or has ended. By any thread. */
    public CompletableFuture<Void> held() {
        return held;
    }

    /** Returns whether the channel has got an event loop. By any thread, when the connection is held. */
    public boolean isRegistered() {
        return context() != null;
    }

    @Override
    public boolean isAdopted() {
        return true;
    }

    @Override
    void attached(ChannelHandlerContext context) {
        boolean again = context() != null;
        super.attached(context);
        if (again) {
            return;
        }
        try {
            // The bootstrap has set its own, and no handler has been added.
            socketOptions.restore(channel());
            socketOptions = null;
            attributes.restore(channel(), record);
        } catch (Throwable e) {
            notBuilt = e;
        }
    }

    /** Leaves the connection, so that a version whose handlers do not fail can adopt it: Netty closes after an exception. */
    @Override
    boolean closedWhileBuilt() {
        boolean beingBuilt = state() == ConnectionState.HELD && !activated;
        if (beingBuilt) {
            notBuilt = new IllegalStateException(
                    "its pipeline could not be built: an exception was thrown, which is in the log,"
                            + " or the channel closed");
        }
        return beingBuilt;
    }

    /** Returns why the pipeline could not be built; {@code null} if it could. */
    public Throwable whyNotBuilt() {
        return notBuilt;
    }

    @Override
    void activated() {
        activated = true;
        if (notBuilt != null) {
            hold();
            opened();
            restored = CompletableFuture.failedFuture(notBuilt);
            held.complete(null);
            return;
        }
        Throwable notRestored = restoreTls();
        Throwable notRecognised = parts().recognise();
        opened();
        failed(notRestored == null ? notRecognised : notRestored);
        hold();
        byte[] unsent = record.get(ChannelRecord.UNSENT);
        if (tls() != null) {
            byte[] undecrypted = record.get(ChannelRecord.UNDECRYPTED);
            tls().counter().begin(record.get(ChannelRecord.COUNTED), length(undecrypted), length(unsent));
        }
        if (unsent != null) {
            // Before anything that a handler may write.
            context().write(Unpooled.wrappedBuffer(unsent));
            deferred().flush();
        }
        context().fireChannelActive();
        if (notRestored == null) {
            failed(finishTls());
        }
        held.complete(null);
    }

    private static int length(byte[] bytes) {
        return bytes == null ? 0 : bytes.length;
    }

    /** Notes that the connection can't be restored, if something has failed. */
    private void failed(Throwable failure) {
        if (failure != null) {
            restored = CompletableFuture.failedFuture(failure);
        }
    }

    /** Returns why the TLS of the connection can't go on; {@code null} if it can, or if there is none. */
    private Throwable restoreTls() {
        byte[] state = record.get(ChannelRecord.TLS);
        try {
            if (state != null) {
                parts().restoreTls(state);
            }
            return null;
        } catch (Throwable e) {
            return e;
        }
    }

    private Throwable finishTls() {
        try {
            if (record.has(ChannelRecord.TLS) && tls() != null) {
                tls().finishHandshake();
            }
            return null;
        } catch (Throwable e) {
            return e;
        }
    }

    private void hold() {
        DeferredReadAllocator.install(channel(), deferred());
        deferred().begin(channel());
    }

    /** Brings the connection to where it was when it was saved; its bytes are not processed yet. */
    public CompletableFuture<Void> restore() {
        if (restored == null) {
            if (record.hasBytes()) {
                // From the moment at which the escrow has them no more.
                mark().set();
            }
            restorer = new ConnectionRestorer(context(), parts().contexts(), gate(), tls(), attributes, record);
            restored = restorer.restore().thenRun(() -> settled = records().adopted(settled));
        }
        return restored;
    }

    /** Marks the connection in this process from now on: it belongs to no other any more. */
    public void own() {
        if (channel().isOpen()) {
            parts().markHere();
        }
    }

    /** Returns what the escrow is to have when the connection goes on here. By any thread, when it is restored. */
    public ChannelRecord settled() {
        return records().sealed(settled);
    }

    /** Lets a restored connection go on from where it was. */
    public void begin() {
        if (state() == ConnectionState.HELD && record != null && isRestored()) {
            ConnectionRestorer feeding = restorer;
            // Of what it was restored from, nothing is kept.
            record = null;
            restorer = null;
            restored = null;
            feeding.feed(deferred());
            serve();
        }
    }

    private boolean isRestored() {
        return restored != null && restored.isDone() && !restored.isCompletedExceptionally();
    }

    /** Returns why the connection, found after a crash, can't go on in its fresh pipeline; {@code null} if it can. */
    public String whyNotResumable() {
        String reason = record == null ? null : record.whyImmovable();
        if (reason == null) {
            reason = whyImmovable();
        }
        return reason == null ? whyCrashed : reason;
    }

    /** Ends a connection that is not to go on. */
    public void refuse() {
        record = null;
        deferred().discard();
        if (state() == ConnectionState.HELD) {
            to(ConnectionState.SERVING);
        }
        if (gate() == null) {
            channel().close();
        } else {
            // A word of the protocol could come in the middle of what its process has sent before it died.
            gate().close();
        }
    }

    /** Ends a connection that can't go on with a reset, past its handlers: they know nothing of its past. */
    public void reset() {
        record = null;
        deferred().discard();
        channel().config().setOption(ChannelOption.SO_LINGER, 0);
        channel().unsafe().close(channel().voidPromise());
    }

    @Override
    void inactivated() {
        if (state() == ConnectionState.HELD && channel().eventLoop().isShuttingDown()) {
            // It has not ended: it stays in the escrow, for the next process.
            to(ConnectionState.GONE);
            deferred().discard();
            held.complete(null);
            return;
        }
        try {
            if (state() == ConnectionState.HELD && record != null) {
                if (record.clean() || whyNotResumable() == null) {
                    // The handlers get what the peer has sent before it has gone.
                    restore();
                    begin();
                } else {
                    deferred().discard();
                }
            }
        } finally {
            super.inactivated();
            held.complete(null);
        }
    }
}
