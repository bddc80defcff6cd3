package io.escrow.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Gives bytes and descriptors to a channel as {@link ExactReads} does: never more than its decoder says is due. Where a
 * descriptor is due, a byte of the input stands for it, see the constants.
 */
public final class PacketFeeder {

    /** Stands for a descriptor that was lost. */
    private static final int LOST = 0xFF;

    /** Stands for a byte without a descriptor. */
    private static final int MISSING = 0xFE;

    private final EmbeddedChannel channel;
    private final PacketDecoder decoder;
    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(false);
    private final List<OwnedDescriptor> opened = new ArrayList<>();

    /** Returns a channel that turns what it is fed into frames. */
    public static EmbeddedChannel channel(boolean daemon, Limits limits) {
        return new EmbeddedChannel(new PacketDecoder(limits), new FrameCodec(daemon, limits));
    }

    /** Sets whether the next packet may bring descriptors. */
    public static void descriptorsMayCome(EmbeddedChannel channel, boolean mayCome) {
        channel.pipeline().get(PacketDecoder.class).descriptorsMayCome(mayCome);
    }

    /** Feeds a channel whose first handler is the decoder. */
    public PacketFeeder(EmbeddedChannel channel) {
        Epoll.ensureAvailability(); // loads what opens descriptors
        this.channel = channel;
        this.decoder = channel.pipeline().get(PacketDecoder.class);
        channel.config().setAllocator(allocator);
    }

    /** Feeds until the input is at its end, or the channel is closed. */
    public void feed(byte[] input, int largestRead) throws IOException {
        ByteBuf in = Unpooled.wrappedBuffer(input);
        while (in.isReadable() && channel.isOpen()) {
            if (decoder.descriptorsDue() > 0) {
                channel.writeInbound(descriptor(in.readUnsignedByte()));
            } else {
                assertTrue(decoder.bytesDue() > 0, "nothing is due: the next read would be of 0 bytes");
                int length = Math.min(Math.min(decoder.bytesDue(), largestRead), in.readableBytes());
                channel.writeInbound(allocator.buffer(length, length).writeBytes(in, length));
            }
        }
    }

    private Object descriptor(int kind) throws IOException {
        return switch (kind) {
            case LOST -> LostDescriptor.INSTANCE;
            case MISSING -> allocator.buffer(1).writeByte(0);
            default -> {
                OwnedDescriptor descriptor =
                        new OwnedDescriptor(FileDescriptor.from("/dev/null").intValue());
                opened.add(descriptor);
                yield descriptor;
            }
        };
    }

    /** Closes the channel; nothing may be open or allocated any more. */
    public void finish() {
        channel.finishAndReleaseAll();
        for (OwnedDescriptor descriptor : opened) {
            assertEquals(0, descriptor.refCnt(), "a descriptor is open");
        }
        ByteBufAllocatorMetric metric = allocator.metric();
        assertEquals(0, metric.usedHeapMemory() + metric.usedDirectMemory(), "bytes are allocated");
    }
}
