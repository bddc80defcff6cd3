package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.InheritedSocket;
import io.escrow.Status;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.bootstrap.ServerBootstrapConfig;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.AttributeKey;
import io.netty.util.concurrent.EventExecutor;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.concurrent.CompletableFuture;

/** Binds or adopts one listener, or one datagram socket. Used by one thread at a time. */
final class Listener {

    private final String name;
    private final SocketAddress address;
    private final ServerBootstrap server;
    private final Bootstrap datagrams;
    private Channel channel;
    private ChannelSlot slot;
    private boolean bound;
    private boolean inherited;
    private volatile boolean gone;

    Listener(String name, ServerBootstrap server, SocketAddress address) {
        this.name = name;
        this.server = server;
        this.datagrams = null;
        this.address = address;
    }

    Listener(String name, Bootstrap datagrams, SocketAddress address) {
        this.name = name;
        this.server = null;
        this.datagrams = datagrams;
        this.address = address;
    }

    String name() {
        return name;
    }

    Channel channel() {
        return channel;
    }

    boolean isDatagram() {
        return datagrams != null;
    }

    /** Returns the event loops of the listener itself. */
    EventLoopGroup group() {
        return isDatagram() ? datagrams.config().group() : server.config().group();
    }

    /** Returns the event loops of what this listener accepts. */
    Iterable<EventExecutor> childLoops() {
        if (isDatagram()) {
            return datagrams.config().group();
        }
        ServerBootstrapConfig config = server.config();
        return config.childGroup() == null ? config.group() : config.childGroup();
    }

    /** Returns this listener's slot in the escrow. */
    ChannelSlot slot() {
        return slot;
    }

    void slot(ChannelSlot slot) {
        this.slot = slot;
    }

    /** Stores the listener, or replaces what is known about it. */
    CompletableFuture<Void> store(boolean clean) {
        ChannelRecord.Builder record = ChannelRecord.builder(name, clean);
        return slot.store(
                Loops.descriptor(channel), (inherited ? record.mark(ChannelRecord.INHERITED) : record).build());
    }

    /** Binds a fresh socket; reads nothing yet. */
    void bind() throws EscrowException {
        ChannelFuture binding;
        if (isDatagram()) {
            binding = datagrams
                    .clone()
                    .channelFactory(EpollDatagramChannel::new)
                    .option(ChannelOption.AUTO_READ, false)
                    .bind(address);
        } else if (address instanceof DomainSocketAddress) {
            binding = copyOfServer(EpollServerDomainSocketChannel::new).bind(address);
        } else {
            binding = copyOfServer(EpollServerSocketChannel::new).bind(address);
        }
        binding.awaitUninterruptibly();
        if (!binding.isSuccess()) {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + name + " can't be bound to " + address + ": "
                            + binding.cause().getMessage(),
                    binding.cause());
        }
        channel = binding.channel();
        bound = true;
        inherited = false;
        gone = false;
    }

    /** Takes over a socket that listens already, and owns its descriptor; reads nothing yet. */
    void adopt(int descriptor) throws EscrowException {
        ChannelFuture registered;
        if (isDatagram()) {
            registered = datagrams
                    .clone()
                    .channelFactory(() -> new EpollDatagramChannel(descriptor))
                    .option(ChannelOption.AUTO_READ, false)
                    .register();
        } else if (address instanceof DomainSocketAddress) {
            registered = copyOfServer(() -> new EpollServerDomainSocketChannel(descriptor, true))
                    .register();
        } else {
            registered =
                    copyOfServer(() -> new EpollServerSocketChannel(descriptor)).register();
        }
        registered.awaitUninterruptibly();
        if (!registered.isSuccess()) {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + name + " can't be adopted: "
                            + registered.cause().getMessage(),
                    registered.cause());
        }
        channel = registered.channel();
        bound = false;
        gone = false;
    }

    /** Notes that somebody else has bound the adopted socket, and keeps it. */
    void inherited() {
        inherited = true;
    }

    /** Returns which kind of socket this is. */
    InheritedSocket.Kind kind() {
        if (isDatagram()) {
            return InheritedSocket.Kind.UDP;
        }
        return address instanceof DomainSocketAddress
                ? InheritedSocket.Kind.UNIX_LISTENER
                : InheritedSocket.Kind.TCP_LISTENER;
    }

    /** Copies the user's bootstrap, whose own channel type does not matter. */
    @SuppressWarnings("unchecked")
    private ServerBootstrap copyOfServer(ChannelFactory<? extends ServerChannel> factory) {
        ServerBootstrapConfig config = server.config();
        EventLoopGroup children = config.childGroup() == null ? config.group() : config.childGroup();
        ServerBootstrap copy = new ServerBootstrap()
                .group(config.group(), children)
                .channelFactory(factory)
                .childHandler(config.childHandler());
        if (config.handler() != null) {
            copy.handler(config.handler());
        }
        config.options().forEach((option, value) -> copy.option((ChannelOption<Object>) option, value));
        config.attrs().forEach((key, value) -> copy.attr((AttributeKey<Object>) key, value));
        config.childOptions().forEach((option, value) -> copy.childOption((ChannelOption<Object>) option, value));
        config.childAttrs().forEach((key, value) -> copy.childAttr((AttributeKey<Object>) key, value));
        return copy.option(ChannelOption.AUTO_READ, false);
    }

    /** Tells whether the adopted socket has the address that was asked for. Port 0 and a wildcard ask for any. */
    boolean hasAddress() {
        return isAskedFor(channel.localAddress());
    }

    /** Tells whether port 0 is asked for: then an address is no mark of this listener. */
    boolean hasAnyPort() {
        return address instanceof InetSocketAddress asked && asked.getPort() == 0;
    }

    /** Tells whether an address is the one that was asked for. */
    boolean isAskedFor(SocketAddress actual) {
        if (address instanceof InetSocketAddress asked && actual instanceof InetSocketAddress is) {
            return (asked.getPort() == 0 || asked.getPort() == is.getPort())
                    && (asked.getAddress().isAnyLocalAddress()
                            ? is.getAddress().isAnyLocalAddress()
                            : asked.getAddress().equals(is.getAddress()));
        }
        // The address of an adopted UNIX-domain socket is not to be had from Netty: the name is all there is to go by.
        return actual == null || address.equals(actual);
    }

    String addressText() {
        return addressText(channel.localAddress());
    }

    String addressText(SocketAddress actual) {
        return "asked for " + address + ", has " + actual;
    }

    boolean isGone() {
        return gone;
    }

    /** Gives up a socket that the escrow has, and that is off its event loop. */
    void letGo() {
        gone = true;
        if (channel instanceof EpollServerDomainSocketChannel) {
            // A UNIX-domain listener that is closed properly takes its path along.
            try {
                Loops.descriptor(channel).close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        } else {
            channel.unsafe().close(channel.voidPromise());
        }
    }

    /** Closes the socket, unless it is another process's. */
    void close() {
        if (channel != null && !gone) {
            channel.close().awaitUninterruptibly();
            if (address instanceof DomainSocketAddress path && !bound && !inherited) {
                // Netty does so only for one that was bound here.
                new File(path.path()).delete();
            }
        }
    }

    /** Closes the socket if it was bound here, else leaves it to the escrow, or to whoever has bound it. */
    void abandon() {
        if (bound) {
            close();
        } else if (channel != null) {
            Loops.deregister(channel)
                    .thenCompose(nothing -> Loops.call(channel.eventLoop(), () -> {
                        letGo();
                        return null;
                    }))
                    .join();
        }
    }
}
