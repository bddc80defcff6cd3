package io.escrow.handover;

import io.netty.bootstrap.AbstractBootstrap;
import io.netty.bootstrap.AbstractBootstrapConfig;
import io.netty.channel.ChannelOption;
import io.netty.util.AttributeKey;

/** Copies the settings that bootstraps of all kinds have. */
final class BootstrapSettings {

    private BootstrapSettings() {}

    /** Copies options and attributes; the channel reads nothing before it is told to. */
    @SuppressWarnings("unchecked")
    static void copy(AbstractBootstrapConfig<?, ?> from, AbstractBootstrap<?, ?> to) {
        from.options().forEach((option, value) -> to.option((ChannelOption<Object>) option, value));
        from.attrs().forEach((key, value) -> to.attr((AttributeKey<Object>) key, value));
        to.option(ChannelOption.AUTO_READ, false);
    }
}
