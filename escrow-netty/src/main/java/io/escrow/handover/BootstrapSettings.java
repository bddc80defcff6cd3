package io.escrow.handover;

import io.escrow.internal.EventLoops;
import io.netty.bootstrap.AbstractBootstrap;
import io.netty.bootstrap.AbstractBootstrapConfig;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.util.AttributeKey;

/** Copies the settings that bootstraps of all kinds have. */
final class BootstrapSettings {

    private BootstrapSettings() {}

    /** Copies options and attributes; the channel reads nothing before it is told to. */
    @SuppressWarnings("unchecked")
    static void copy(AbstractBootstrapConfig<?, ?> from, AbstractBootstrap<?, ?> to) {
        from.options().forEach((option, value) -> {
            if (mayBeSet(option)) {
                to.option((ChannelOption<Object>) option, value);
            }
        });
        from.attrs().forEach((key, value) -> to.attr((AttributeKey<Object>) key, value));
        to.option(ChannelOption.AUTO_READ, false);
    }

    /** Returns a factory of channels that are level-triggered. */
    static <C extends Channel> ChannelFactory<C> levelTriggered(ChannelFactory<C> factory) {
        return () -> EventLoops.levelTriggered(factory.newChannel());
    }

    /** Returns whether an option is the user's to set: the mode of epoll is not. */
    @SuppressWarnings("deprecation") // Netty 4.2 has one mode only
    static boolean mayBeSet(ChannelOption<?> option) {
        return !option.equals(EpollChannelOption.EPOLL_MODE);
    }
}
