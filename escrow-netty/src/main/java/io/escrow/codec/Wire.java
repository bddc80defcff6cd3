package io.escrow.codec;

import io.escrow.Limits;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import java.util.concurrent.Executor;

/** Sets up a channel so that whole packets come in as frames, and frames go out in packets. */
public final class Wire {

    /**
     * How many writes Netty does for one channel before the next channel has its turn: at least a packet of
     * descriptors.
     */
    private static final int WRITES_PER_TURN = 512;

    private final boolean daemon;
    private final ExactReads reads;
    private final PacketDecoder packetDecoder;
    private final PacketEncoder packetEncoder;
    private final FrameCodec frameCodec;

    private Wire(EpollDomainSocketChannel channel, boolean daemon, Limits limits, Executor closer) {
        this.daemon = daemon;
        packetDecoder = new PacketDecoder(limits);
        reads = ExactReads.install(channel, packetDecoder, closer);
        packetEncoder = new PacketEncoder(limits, daemon);
        frameCodec = new FrameCodec(daemon, limits, false);
    }

    /**
     * Puts the handlers of this package into the empty pipeline of a channel. Frames, each packet's followed by {@link
     * PacketEnd}, come to the handlers added afterwards.
     *
     * @param channel the channel, which has not read anything yet; with Netty 4.1 it must be level-triggered
     * @param daemon whether this is the daemon's side
     * @param limits the bounds of what the other side may send
     * @return a handle to change the bounds
     */
    public static Wire install(EpollDomainSocketChannel channel, boolean daemon, Limits limits) {
        return install(channel, daemon, limits, Runnable::run);
    }

    /**
     * Does the same for a receiver whose event loop must not close the descriptors that it receives.
     *
     * @param channel the channel, which has not read anything yet; with Netty 4.1 it must be level-triggered
     * @param daemon whether this is the daemon's side
     * @param limits the bounds of what the other side may send
     * @param closer closes the descriptors
     * @return a handle to change the bounds
     */
    public static Wire install(EpollDomainSocketChannel channel, boolean daemon, Limits limits, Executor closer) {
        Wire wire = new Wire(channel, daemon, limits, closer);
        channel.config().setWriteSpinCount(WRITES_PER_TURN);
        ChannelPipeline pipeline = channel.pipeline();
        // The encoder first of those that send: what goes on from there is packets, which are fewer than frames.
        pipeline.addLast(wire.packetDecoder, wire.frameCodec, wire.packetEncoder);
        return wire;
    }

    /**
     * Returns whether this process can receive descriptors without changing the flags of their open files, which takes
     * io_uring, Netty 4.2, and its native library for io_uring. The first call loads that library, and may block.
     *
     * @return whether it can
     */
    public static boolean keepsFlags() {
        return FileFlags.canBeKept();
    }

    /**
     * Prepares for packets whose descriptors come in one message. Call it on the channel's event loop.
     *
     * @return whether this process can send and receive them
     */
    public boolean canUseBatches() {
        return keepsFlags() && reads.ring() != null;
    }

    /**
     * Sends and receives the descriptors of each packet in one message from now on, and packets whose first {@value
     * PacketDecoder#HEAD_LENGTH} bytes can be read at once, but for the packet of a HEL. Call it on the channel's event loop,
     * when {@linkplain #canUseBatches() this process} and the other side can.
     */
    public void useBatches() {
        useBatchesAlone();
        packetDecoder.useHeads();
        packetEncoder.useHeads(daemon);
    }

    /** Does the same, but for the length of the packets, as a {@link PacketUpgrade} does. */
    void useBatchesAlone() {
        packetDecoder.useBatches();
        // The daemon's are those that it was sent: either non-blocking, or such that must stay as they are.
        packetEncoder.useBatches(reads.ring(), daemon ? descriptor -> true : PacketEncoder::isOfChannel);
    }

    /**
     * Returns what a descriptor loses if the process that receives it can't keep the flags of its open file.
     *
     * @param descriptor the descriptor, which is left as it is
     * @return words that name the descriptor and what it loses; {@code null} if no process could notice the loss, or
     *     the descriptor is closed
     */
    public static String flagsLost(FileDescriptor descriptor) {
        return FileFlags.loss(descriptor);
    }

    /**
     * Returns how much of the packet under way has been received. Call it on the channel's event loop.
     *
     * @return bytes plus descriptors; 0 between packets
     */
    public int received() {
        return packetDecoder.received();
    }

    /**
     * Sets what is done before each read from the socket.
     *
     * @param task run on the channel's event loop; must not throw
     */
    public void beforeRead(Runnable task) {
        packetDecoder.beforeRead(task);
    }

    /**
     * Sets the bounds of packets and frames in both directions.
     *
     * @param limits the bounds from the daemon's hello
     */
    public void limits(Limits limits) {
        packetDecoder.limits(limits);
        packetEncoder.limits(limits);
        frameCodec.limits(limits);
    }

    /**
     * Sets whether a client may get descriptors with the next packet, as answers to {@link Frame.Get}. If not, it reads the
     * prelude and the first answer at once. True until this is called. Call it on the channel's event loop, before the
     * requests are sent.
     *
     * @param mayCome whether descriptors may come
     */
    public void descriptorsMayCome(boolean mayCome) {
        packetDecoder.descriptorsMayCome(mayCome);
    }
}
