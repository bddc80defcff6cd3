package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
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
import io.netty.channel.unix.UnixChannel;
import io.netty.util.AttributeKey;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/** Binds or adopts one listener, or one datagram socket. Used by one thread at a time. */
final class Listener {

    private final String name;
    private final SocketAddress address;
    private final ServerBootstrap server;
    private final Bootstrap datagrams;
    private Channel channel;
    private EscrowTable.Place place;

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

    /** Returns the event loops of what this listener accepts. */
    Iterable<EventExecutor> childLoops() {
        if (isDatagram()) {
            return datagrams.config().group();
        }
        ServerBootstrapConfig config = server.config();
        return config.childGroup() == null ? config.group() : config.childGroup();
    }

    EscrowTable.Place place() {
        return place;
    }

    void place(EscrowTable.Place place) {
        this.place = place;
    }

    /** Binds a fresh socket; reads nothing yet. */
    void bind() throws EscrowException {
        ChannelFuture bound;
        if (isDatagram()) {
            bound = datagrams
                    .clone()
                    .channelFactory(EpollDatagramChannel::new)
                    .option(ChannelOption.AUTO_READ, false)
                    .bind(address);
        } else if (address instanceof DomainSocketAddress) {
            bound = copyOfServer(EpollServerDomainSocketChannel::new).bind(address);
        } else {
            bound = copyOfServer(EpollServerSocketChannel::new).bind(address);
        }
        bound.awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + name + " can't be bound to " + address + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        channel = bound.channel();
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
        SocketAddress actual = channel.localAddress();
        if (address instanceof InetSocketAddress asked && actual instanceof InetSocketAddress is) {
            return (asked.getPort() == 0 || asked.getPort() == is.getPort())
                    && (asked.getAddress().isAnyLocalAddress()
                            ? is.getAddress().isAnyLocalAddress()
                            : asked.getAddress().equals(is.getAddress()));
        }
        // The address of an adopted UNIX-domain socket is not to be had from Netty: the name is all there is to go by.
        return true;
    }

    String addressText() {
        return "asked for " + address + ", has " + channel.localAddress();
    }

    /** Closes the descriptor, and nothing else: a UNIX-domain listener that is closed properly takes its path along. */
    void letGo() {
        if (channel instanceof EpollServerDomainSocketChannel) {
            try {
                ((UnixChannel) channel).fd().close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        } else {
            channel.unsafe().closeForcibly();
        }
    }
}
