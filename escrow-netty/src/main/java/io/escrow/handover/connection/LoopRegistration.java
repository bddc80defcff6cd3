package io.escrow.handover.connection;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;

/** Does for a channel that was taken off its event loop what Netty does only for one that is there. */
final class LoopRegistration {

    private LoopRegistration() {}

    /**
     * Does something when a channel is registered with its loop, and with epoll; or at once, if it is closed.
     *
     * @param ctx a context of the channel at the head of its pipeline
     * @param deferred what has come in since the channel reads nothing
     * @param next what is done, on the event loop
     */
    static void whenRegistered(ChannelHandlerContext ctx, DeferredEvents deferred, Runnable next) {
        Channel channel = ctx.channel();
        if (!channel.isOpen()) {
            fireEnd(ctx);
            next.run();
        } else if (!channel.isRegistered()) {
            deferred.reportHangUps(channel);
            channel.eventLoop().register(channel).addListener(f -> next.run());
        } else if (deferred.hasLeftEpoll()) {
            channel.deregister().addListener(f -> whenRegistered(ctx, deferred, next));
        } else {
            next.run();
        }
    }

    /** Fires what Netty does not fire when a channel is closed that was deregistered before. */
    static void fireEnd(ChannelHandlerContext ctx) {
        if (!ctx.channel().isRegistered() && !ctx.isRemoved()) {
            ctx.pipeline().fireChannelInactive();
            ctx.pipeline().fireChannelUnregistered();
        }
    }
}
