package io.escrow.handover;

import io.escrow.InheritedSocket;
import io.escrow.internal.Checks;
import io.escrow.internal.EpollLoops;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.BootstrapConfig;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import java.net.SocketAddress;
import java.util.Collection;
import java.util.List;

/** Makes datagram sockets with a bootstrap of the user's, whose own channel type and addresses do not matter. */
record DatagramSource(Bootstrap bootstrap) implements SocketSource {

    @Override
    public InheritedSocket.Kind kind(SocketAddress address) {
        return InheritedSocket.Kind.UDP;
    }

    @Override
    public ChannelFuture bind(SocketAddress address) {
        return copy(EpollDatagramChannel::new).bind(address);
    }

    @Override
    public ChannelFuture adopt(int descriptor, SocketAddress address) {
        return copy(() -> new EpollDatagramChannel(descriptor)).register();
    }

    @Override
    public Collection<ChannelOption<?>> childOptions() {
        return List.of();
    }

    private Bootstrap copy(ChannelFactory<EpollDatagramChannel> factory) {
        BootstrapConfig config = bootstrap.config();
        Bootstrap copy = new Bootstrap()
                .group(config.group())
                .channelFactory(BootstrapSettings.levelTriggered(factory))
                .handler(config.handler());
        BootstrapSettings.copy(config, copy);
        return copy;
    }

    @Override
    public SocketSource frozen(String name) {
        BootstrapConfig config = bootstrap.config();
        if (config.group() == null) {
            throw SocketSource.incomplete(name, "group", EpollLoops.GROUP);
        }
        Checks.epoll("listener " + name + ": group", config.group());
        if (config.handler() == null) {
            throw SocketSource.incomplete(name, "handler", "one that reads datagrams");
        }
        return new DatagramSource(bootstrap.clone());
    }
}
