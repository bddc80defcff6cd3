package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.bootstrap.AbstractBootstrap;
import io.netty.bootstrap.AbstractBootstrapConfig;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.BootstrapConfig;
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
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.AttributeKey;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketAddress;
import java.util.concurrent.CompletableFuture;

/** Binds or adopts one listener, or one datagram socket. Used by one thread at a time. */
final class Listener {

    private final ListenerConfiguration configuration;
    private final String name;
    private final SocketAddress address;
    private Channel channel;
    private ChannelSlot slot;
    private boolean bound;
    private boolean inherited;
    private volatile boolean gone;

    Listener(ListenerConfiguration configuration) {
        this.configuration = configuration;
        this.name = configuration.name();
        this.address = configuration.address();
    }

    ListenerConfiguration configuration() {
        return configuration;
    }

    String name() {
        return name;
    }

    Channel channel() {
        return channel;
    }

    boolean isDatagram() {
        return configuration.isDatagram();
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
        if (inherited) {
            record.mark(ChannelRecord.INHERITED);
        }
        return slot.store(EventLoops.descriptor(channel), record.build());
    }

    /** Binds a fresh socket; reads nothing yet. */
    void bind() throws EscrowException {
        ChannelFuture binding;
        if (isDatagram()) {
            binding = copyOfDatagrams(EpollDatagramChannel::new).bind(address);
        } else if (address instanceof DomainSocketAddress) {
            binding = copyOfServer(EpollServerDomainSocketChannel::new).bind(address);
        } else {
            binding = copyOfServer(EpollServerSocketChannel::new).bind(address);
        }
        binding.awaitUninterruptibly();
        if (!binding.isSuccess()) {
            throw new EscrowException(
                    Futures.statusOf(binding.cause()),
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
        try {
            registered = register(descriptor);
        } catch (Throwable e) {
            // Then Netty has not closed it.
            closeQuietly(new FileDescriptor(descriptor));
            throw e;
        }
        registered.awaitUninterruptibly();
        if (!registered.isSuccess()) {
            throw new EscrowException(
                    Status.EIO,
                    "listener " + name + " can't be adopted: "
                            + registered.cause().getMessage(),
                    registered.cause());
        }
        channel = registered.channel();
        bound = false;
        gone = false;
    }

    private ChannelFuture register(int descriptor) {
        if (isDatagram()) {
            return copyOfDatagrams(() -> new EpollDatagramChannel(descriptor)).register();
        } else if (address instanceof DomainSocketAddress) {
            return copyOfServer(() -> new EpollServerDomainSocketChannel(descriptor, true))
                    .register();
        }
        return copyOfServer(() -> new EpollServerSocketChannel(descriptor)).register();
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

    /** Copies the user's bootstrap, whose own channel type and addresses do not matter. */
    private Bootstrap copyOfDatagrams(ChannelFactory<EpollDatagramChannel> factory) {
        BootstrapConfig config = configuration.datagrams().config();
        Bootstrap copy =
                new Bootstrap().group(config.group()).channelFactory(factory).handler(config.handler());
        copySettings(config, copy);
        return copy.option(ChannelOption.AUTO_READ, false);
    }

    /** Copies the user's bootstrap, whose own channel type and address do not matter. */
    @SuppressWarnings("unchecked")
    private ServerBootstrap copyOfServer(ChannelFactory<? extends ServerChannel> factory) {
        ServerBootstrapConfig config = configuration.server().config();
        EventLoopGroup children = config.childGroup() == null ? config.group() : config.childGroup();
        ServerBootstrap copy = new ServerBootstrap()
                .group(config.group(), children)
                .channelFactory(factory)
                .childHandler(config.childHandler());
        if (config.handler() != null) {
            copy.handler(config.handler());
        }
        copySettings(config, copy);
        config.childOptions().forEach((option, value) -> copy.childOption((ChannelOption<Object>) option, value));
        config.childAttrs().forEach((key, value) -> copy.childAttr((AttributeKey<Object>) key, value));
        return copy.option(ChannelOption.AUTO_READ, false);
    }

    @SuppressWarnings("unchecked")
    private static void copySettings(AbstractBootstrapConfig<?, ?> from, AbstractBootstrap<?, ?> to) {
        from.options().forEach((option, value) -> to.option((ChannelOption<Object>) option, value));
        from.attrs().forEach((key, value) -> to.attr((AttributeKey<Object>) key, value));
    }

    /** Returns whether the adopted socket has the address that was asked for. */
    boolean hasAddress() {
        return configuration.isAskedFor(channel.localAddress());
    }

    String addressText() {
        return configuration.comparedWith(channel.localAddress());
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
                EventLoops.descriptor(channel).close();
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

    /** Closes the socket if it was bound here; else the escrow, or the process that has bound it, keeps it. */
    void abandon() {
        if (bound) {
            close();
        } else if (channel != null) {
            EventLoops.deregister(channel)
                    .thenCompose(nothing -> EventLoops.call(channel.eventLoop(), () -> {
                        letGo();
                        return null;
                    }))
                    .join();
        }
    }
}
