package io.escrow.codec;

import io.escrow.Limits;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import java.util.concurrent.Executor;
import java.util.function.Predicate;

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
    private PacketDecoder decoder;
    private PacketEncoder encoder;

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
     * followed by its descriptor if it has one. The frames are framed as {@link Frame} describes. A {@link PacketEnd} that
     * they write behind a frame completes when that is written, with all before it.
     *
     * @param limits the bounds of packets in both directions
     */
    public void begin(Limits limits) {
        channel.config().setWriteSpinCount(WRITES_PER_TURN);
        decoder = new PacketDecoder(limits);
        encoder = new PacketEncoder(limits);
        ChannelPipeline pipeline = channel.pipeline();
        pipeline.addLast(decoder, encoder);
        reads.beginPackets(decoder);
    }

    /**
     * Prepares for packets whose descriptors come in one message.
     *
     * @return whether this process can send and receive them
     */
    public boolean canUseBatches() {
        return Wire.keepsFlags() && reads.ring() != null;
    }

    /**
     * Sends the descriptors of each packet in one message from now on, if none of them may block. Call it when {@linkplain
     * #canUseBatches() this process} can, and the other side expects them.
     *
     * @param nonBlocking whether it is known of a descriptor that it does not block
     */
    public void sendBatches(Predicate<FileDescriptor> nonBlocking) {
        encoder.useBatches(reads.ring(), nonBlocking);
    }

    /**
     * Expects the descriptors of each packet in one message from the next packet on. Call it when {@linkplain #canUseBatches()
     * this process} can.
     */
    public void receiveBatches() {
        decoder.useBatches();
    }
}
