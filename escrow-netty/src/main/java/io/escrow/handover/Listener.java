package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketAddress;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps the socket of one listener, or one datagram socket, and its slot in the escrow. Used by one thread at a time,
 * unless a method says otherwise.
 */
final class Listener {

    private final String name;
    private final HostedSocket<?> hosted;
    private ListenerConfiguration configuration;
    private volatile Channel channel;
    private ChannelSlot slot;
    private boolean bound;
    private boolean inherited;
    /** Whether the channel accepts without being asked, when nobody has stopped it. */
    private boolean autoRead = true;

    private volatile boolean accepting;
    private volatile boolean handingOver;
    private volatile boolean gone;

    Listener(ListenerConfiguration configuration) {
        this.configuration = configuration;
        this.name = configuration.name();
        this.hosted = configuration.source() instanceof HostedSocket<?> socket ? socket : null;
    }

    /** Returns the settings; the address of a hosted listener is known when the framework binds it. */
    ListenerConfiguration configuration() {
        return configuration;
    }

    String name() {
        return name;
    }

    /** Returns where a framework makes and binds the channel; {@code null} for a listener of a bootstrap. */
    HostedSocket<?> hosted() {
        return hosted;
    }

    Channel channel() {
        return channel;
    }

    /** Returns whether there is a channel, and it is open. By any thread. */
    boolean isOpen() {
        return channel != null && channel.isOpen();
    }

    boolean isDatagram() {
        return configuration.isDatagram();
    }

    /** Returns this listener's slot in the escrow. */
    synchronized ChannelSlot slot() {
        return slot;
    }

    synchronized void slot(ChannelSlot slot) {
        this.slot = slot;
        // One that was closed with its event loop stays in the escrow, as after a crash.
        if (channel.closeFuture().isDone()) {
            closed(channel);
        }
    }

    /** Stores the listener, or replaces what is known about it; nothing if it is closed. By any thread. */
    synchronized CompletableFuture<Void> store(boolean clean) {
        if (!isOpen()) {
            return CompletableFuture.completedFuture(null);
        }
        ChannelRecord.Builder record = ChannelRecord.builder(name, clean);
        if (inherited) {
            record.mark(ChannelRecord.INHERITED);
        }
        return slot.store(EventLoops.descriptor(channel), record.build());
    }

    /** Sets the address that a framework has asked for. */
    void address(SocketAddress asked) {
        configuration = configuration.at(asked);
    }

    /** Binds a fresh socket; reads nothing yet. */
    void bind() throws EscrowException {
        ChannelFuture binding = configuration.source().bind(configuration.address());
        Throwable failure = EventLoops.awaitOpen(binding);
        if (failure != null) {
            throw new EscrowException(
                    Futures.statusOf(failure),
                    "listener " + name + " can't be bound to " + configuration.address() + ": " + failure.getMessage(),
                    failure);
        }
        bound = true;
        inherited = false;
        begin(binding.channel());
    }

    /** Takes over a socket that listens already, and owns its descriptor; reads nothing yet. */
    void adopt(int descriptor) throws EscrowException {
        ChannelFuture registered;
        try {
            registered = configuration.source().adopt(descriptor, configuration.address());
        } catch (Throwable e) {
            // Then Netty has not closed it.
            closeQuietly(new FileDescriptor(descriptor));
            throw e;
        }
        Throwable failure = EventLoops.awaitOpen(registered);
        if (failure != null) {
            throw new EscrowException(
                    Status.EIO, "listener " + name + " can't be adopted: " + failure.getMessage(), failure);
        }
        bound = false;
        begin(registered.channel());
    }

    private void begin(Channel opened) {
        channel = opened;
        gone = false;
        opened.closeFuture().addListener(f -> closed(opened));
    }

    private static void closeQuietly(FileDescriptor descriptor) {
        try {
            descriptor.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Notes that another process has bound the adopted socket, and keeps it. */
    void inherited() {
        inherited = true;
    }

    /** Returns whether the adopted socket has the address that was asked for. */
    boolean hasAddress() {
        return configuration.isAskedFor(channel.localAddress());
    }

    String addressText() {
        return configuration.comparedWith(channel.localAddress());
    }

    /** Accepts from now on. */
    void accept() {
        accepting = true;
        if (hosted == null) {
            channel.config().setAutoRead(true);
        } else {
            autoRead = channel.config().isAutoRead();
            hosted.handler().accept();
        }
    }

    /** Keeps the socket, and its slot, from now on: it may become another process's. By any thread. */
    void beginHandover() {
        handingOver = true;
        if (hosted != null) {
            hosted.handler().beginHandover();
        }
    }

    /** Lets new connections queue in the kernel. */
    CompletableFuture<Void> stopAccepting() {
        return EventLoops.call(channel.eventLoop(), () -> channel.config().setAutoRead(false))
                .thenCompose(stopped -> EventLoops.deregister(channel));
    }

    /** Accepts again after a handover that has failed; closes what was to be closed meanwhile. */
    CompletableFuture<Void> comeBack() {
        CompletableFuture<Void> back = new CompletableFuture<>();
        if (!isOpen() || channel.isRegistered()) {
            goOn();
            back.complete(null);
        } else {
            channel.eventLoop().register(channel).addListener(f -> {
                goOn();
                back.complete(null);
            });
        }
        return back;
    }

    private void goOn() {
        handingOver = false;
        if (!isOpen()) {
            closed(channel);
            return;
        }
        channel.config().setAutoRead(autoRead);
        if (!autoRead) {
            channel.read();
        }
        if (hosted != null) {
            channel.eventLoop().execute(() -> {
                if (hosted.handler().endHandover()) {
                    hosted.handler().closeNow();
                }
            });
        }
    }

    /** Gives up a socket that the escrow has, and that is off its event loop. */
    void letGo() {
        gone = true;
        if (hosted != null) {
            hosted.handler().letGo();
        }
        if (channel instanceof EpollServerDomainSocketChannel) {
            // A UNIX-domain listener that is closed properly takes its path along.
            closeQuietly(EventLoops.descriptor(channel));
        } else {
            channel.unsafe().close(channel.voidPromise());
        }
    }

    /** Frees the slot of a channel that was closed, unless it is another process's. */
    private synchronized void closed(Channel which) {
        if (which != channel || gone || handingOver) {
            return;
        }
        if (!accepting && which.eventLoop().isShuttingDown()) {
            // The start fails then, and leaves the escrow as it was.
            return;
        }
        if (slot != null) {
            slot.remove();
        }
        if (configuration.address() instanceof DomainSocketAddress path && !bound && !inherited) {
            // Netty does so only for one that was bound here.
            new File(path.path()).delete();
        }
    }

    /** Closes the socket, unless it is another process's. */
    void close() {
        if (channel != null && !gone) {
            handingOver = false;
            channel.close().awaitUninterruptibly();
        }
    }

    /** Closes the socket if it was bound here; else the escrow, or the process that has bound it, keeps it. */
    void abandon() {
        if (bound) {
            close();
        } else if (channel != null) {
            CompletableFuture<Object> letGo = EventLoops.deregister(channel)
                    .thenCompose(nothing -> EventLoops.call(channel.eventLoop(), () -> {
                        letGo();
                        return null;
                    }));
            // With its event loop it is closed anyway.
            Futures.awaitEnd(EventLoops.orEnd(letGo, channel.eventLoop()));
        }
    }
}
