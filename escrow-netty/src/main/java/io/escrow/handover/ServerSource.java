package io.escrow.handover;

import io.escrow.InheritedSocket;
import io.escrow.internal.Checks;
import io.escrow.internal.EpollLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.bootstrap.ServerBootstrapConfig;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.AttributeKey;
import java.net.SocketAddress;
import java.util.Collection;

/** Makes listeners with a bootstrap of the user's, whose own channel type and address do not matter. */
record ServerSource(ServerBootstrap bootstrap) implements SocketSource {

    @Override
    public InheritedSocket.Kind kind(SocketAddress address) {
        return address instanceof DomainSocketAddress
                ? InheritedSocket.Kind.UNIX_LISTENER
                : InheritedSocket.Kind.TCP_LISTENER;
    }

    @Override
    public ChannelFuture bind(SocketAddress address) {
        return address instanceof DomainSocketAddress
                ? copy(EpollServerDomainSocketChannel::new).bind(address)
                : copy(EpollServerSocketChannel::new).bind(address);
    }

    @Override
    public ChannelFuture adopt(int descriptor, SocketAddress address) {
        return address instanceof DomainSocketAddress
                ? copy(() -> new EpollServerDomainSocketChannel(descriptor, true))
                        .register()
                : copy(() -> new EpollServerSocketChannel(descriptor)).register();
    }

    @Override
    public Collection<ChannelOption<?>> childOptions() {
        return bootstrap.config().childOptions().keySet();
    }

    @SuppressWarnings("unchecked")
    private ServerBootstrap copy(ChannelFactory<? extends ServerChannel> factory) {
        ServerBootstrapConfig config = bootstrap.config();
        EventLoopGroup children = config.childGroup() == null ? config.group() : config.childGroup();
        ServerBootstrap copy = new ServerBootstrap()
                .group(config.group(), children)
                .channelFactory(BootstrapSettings.levelTriggered(factory))
                .childHandler(config.childHandler());
        if (config.handler() != null) {
            copy.handler(config.handler());
        }
        BootstrapSettings.copy(config, copy);
        config.childOptions().forEach((option, value) -> {
            if (BootstrapSettings.mayBeSet(option)) {
                copy.childOption((ChannelOption<Object>) option, value);
            }
        });
        config.childAttrs().forEach((key, value) -> copy.childAttr((AttributeKey<Object>) key, value));
        return copy;
    }

    @Override
    public SocketSource frozen(String name) {
        ServerBootstrapConfig config = bootstrap.config();
        if (config.group() == null) {
            throw SocketSource.incomplete(name, "group", EpollLoops.GROUP);
        }
        Checks.epoll("listener " + name + ": group", config.group());
        if (config.childGroup() != null) {
            Checks.epoll("listener " + name + ": child group", config.childGroup());
        }
        if (config.childHandler() == null) {
            throw SocketSource.incomplete(name, "child handler", "one that builds pipelines");
        }
        return new ServerSource(bootstrap.clone());
    }
}
