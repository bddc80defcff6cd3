package io.escrow.codec;

import io.escrow.Limits;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import java.util.concurrent.Executor;

/**
 * Sets up a channel that carries plain bytes first, such as those of HTTP, and packets from some moment on. Until then
 * neither side may send more than the other one expects: a plain read that reaches a descriptor would lose it.
 *
 * <p>Used on the channel's event loop.
 */
public final class PacketUpgrade {

    private static final int WRITES_PER_TURN = 512;

    private final EpollDomainSocketChannel channel;
    private final ExactReads reads;

    /**
     * Prepares a channel.
     *
     * @param channel the channel, which has not read anything yet
     * @param closer closes the descriptors that come later
     */
    public PacketUpgrade(EpollDomainSocketChannel channel, Executor closer) {
        this.channel = channel;
        this.reads = ExactReads.install(channel, null, closer);
    }

    /**
     * Begins with packets, in both directions. Adds handlers to the pipeline. Those behind them get the descriptors of
     * each packet one by one, then a buffer with its frames, then {@link PacketEnd}. In place of a descriptor that could
     * not be received comes an object that is no {@link io.escrow.OwnedDescriptor}. They write each frame as a buffer,
     * followed by its descriptor if it has one. The frames are framed as {@link Frame} describes.
     *
     * @param limits the bounds of packets in both directions
     */
    public void begin(Limits limits) {
        channel.config().setWriteSpinCount(WRITES_PER_TURN);
        PacketDecoder decoder = new PacketDecoder(limits);
        ChannelPipeline pipeline = channel.pipeline();
        pipeline.addLast(decoder, new PacketEncoder(limits));
        reads.beginPackets(decoder);
    }
}
