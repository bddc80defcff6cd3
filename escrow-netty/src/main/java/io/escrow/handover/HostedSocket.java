package io.escrow.handover;

import io.escrow.InheritedSocket;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketAddress;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * Is where a framework, which makes and binds one server channel, meets the start of the server. May be used by any thread.
 *
 * @param <C> the type of the channel
 */
final class HostedSocket<C extends ServerChannel> implements SocketSource, ChannelFactory<C> {

    private static final int FRESH = -1;

    /**
     * What frameworks set, most often, for connections that they accept. Not the sizes of buffers: the kernel changes them by
     * itself as long as nobody has set them.
     */
    private static final List<ChannelOption<?>> CHILD_OPTIONS = List.of(
            ChannelOption.SO_KEEPALIVE,
            ChannelOption.SO_LINGER,
            ChannelOption.IP_TOS,
            EpollChannelOption.TCP_KEEPIDLE,
            EpollChannelOption.TCP_KEEPINTVL,
            EpollChannelOption.TCP_KEEPCNT,
            EpollChannelOption.TCP_USER_TIMEOUT);

    /** Is asked when a framework wants its channel, and when it has lost patience. */
    interface Host {
        /** Begins the start of the server, unless it is under way. */
        void begin(HostedSocket<?> asking);

        /** Gives the start up. */
        void giveUp(Throwable reason);
    }

    private final String name;
    private final Host host;
    private final InheritedSocket.Kind kind;
    private final Supplier<C> fresh;
    private final IntFunction<C> adopted;
    private final CompletableFuture<Integer> offered = new CompletableFuture<>();
    private final BindHandler handler = new BindHandler();
    private boolean wanted;
    private C channel;
    private Throwable failure;

    private HostedSocket(String name, Host host, InheritedSocket.Kind kind, Supplier<C> fresh, IntFunction<C> adopted) {
        this.name = name;
        this.host = host;
        this.kind = kind;
        this.fresh = fresh;
        this.adopted = adopted;
    }

    static HostedSocket<EpollServerSocketChannel> tcp(String name, Host host) {
        return new HostedSocket<>(
                name,
                host,
                InheritedSocket.Kind.TCP_LISTENER,
                EpollServerSocketChannel::new,
                EpollServerSocketChannel::new);
    }

    static HostedSocket<EpollServerDomainSocketChannel> unix(String name, Host host) {
        return new HostedSocket<>(
                name,
                host,
                InheritedSocket.Kind.UNIX_LISTENER,
                EpollServerDomainSocketChannel::new,
                descriptor -> new EpollServerDomainSocketChannel(descriptor, true));
    }

    String name() {
        return name;
    }

    BindHandler handler() {
        return handler;
    }

    /** Makes the channel, once, when it is the server's turn. Called by the framework. */
    @Override
    public C newChannel() {
        want();
        try {
            host.begin(this);
        } catch (RuntimeException | Error e) {
            unwant();
            throw e;
        }
        try {
            offered.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            ChannelException reason = failed("the thread that waited for its turn was interrupted", e);
            host.giveUp(reason);
            throw reason;
        } catch (ExecutionException e) {
            throw failed(Futures.unwrap(e));
        }
        return make();
    }

    private synchronized void want() {
        if (wanted) {
            throw new IllegalStateException("listener " + name
                    + " has its server channel already: a channel factory of a handover transport is good for one bind"
                    + " (expected: a name, and a factory, for each address that is bound)");
        }
        wanted = true;
    }

    private synchronized void unwant() {
        wanted = false;
    }

    private synchronized C make() {
        if (failure != null) {
            throw failed(failure);
        }
        int descriptor = offered.join();
        try {
            C made = EventLoops.levelTriggered(descriptor == FRESH ? fresh.get() : adopted.apply(descriptor));
            made.pipeline().addFirst(BindHandler.NAME, handler);
            channel = made;
            return made;
        } catch (RuntimeException | Error e) {
            // Then Netty has not closed the descriptor; fail() does.
            fail(e);
            throw failed(e);
        }
    }

    private ChannelException failed(Throwable cause) {
        return failed(cause.getMessage() == null ? cause.toString() : cause.getMessage(), cause);
    }

    private ChannelException failed(String reason, Throwable cause) {
        return new ChannelException("listener " + name + " gets no server channel: " + reason, cause);
    }

    /** Lets the framework make its channel of a descriptor, which is the framework's from now on. */
    synchronized void offer(int descriptor) {
        if (!offered.complete(descriptor)) {
            close(descriptor);
        }
    }

    /** Lets the framework make its channel of a fresh socket. */
    void offerFresh() {
        offer(FRESH);
    }

    /** Lets everything fail that the framework waits for, or asks for later; what it was told before still holds. */
    synchronized void fail(Throwable reason) {
        if (failure == null) {
            failure = reason;
            if (!offered.completeExceptionally(reason) && channel == null) {
                close(offered.join());
            }
        }
        handler.tellFailure(reason);
    }

    private static void close(int descriptor) {
        if (descriptor != FRESH) {
            try {
                new FileDescriptor(descriptor).close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Returns what the framework has not done yet that has to bind the channel; {@code null} if it has done everything. */
    synchronized String missing() {
        if (handler.isAsked()) {
            return null;
        } else if (!wanted) {
            return "nobody has asked for its server channel";
        } else if (channel == null) {
            return "its server channel is being made";
        } else if (!channel.isRegistered()) {
            return "its server channel is not registered with an event loop";
        }
        return "its server channel is not bound";
    }

    /** Returns whether the framework has closed its channel without binding it. */
    synchronized boolean isClosedUnbound() {
        return channel != null && !channel.isOpen() && !handler.isAsked();
    }

    @Override
    public InheritedSocket.Kind kind(SocketAddress address) {
        return kind;
    }

    @Override
    public ChannelFuture bind(SocketAddress address) {
        return handler.bind(address);
    }

    @Override
    public synchronized ChannelFuture adopt(int descriptor, SocketAddress address) {
        return channel.newSucceededFuture();
    }

    @Override
    public Collection<ChannelOption<?>> childOptions() {
        return CHILD_OPTIONS;
    }

    @Override
    public SocketSource frozen(String listener) {
        return this;
    }
}
