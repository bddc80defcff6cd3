package io.escrow.handover.connection;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.RecvByteBufAllocator;

/** Sets the mark of a connection before each read of its channel: that is when Netty asks for a buffer. */
final class MarkingReadAllocator implements RecvByteBufAllocator {

    private final RecvByteBufAllocator allocator;
    private final CrashMark mark;

    private MarkingReadAllocator(RecvByteBufAllocator allocator, CrashMark mark) {
        this.allocator = allocator;
        this.mark = mark;
    }

    /** Has the mark set before each read of a channel. To be called before it reads anything. */
    static void install(Channel channel, CrashMark mark) {
        RecvByteBufAllocator allocator = channel.config().getRecvByteBufAllocator();
        channel.config().setRecvByteBufAllocator(new MarkingReadAllocator(allocator, mark));
    }

    @Override
    @SuppressWarnings("deprecation") // Netty's own return type
    public Handle newHandle() {
        return new MarkingHandle();
    }

    private final class MarkingHandle extends ReadHandle {
        MarkingHandle() {
            super(allocator);
        }

        @Override
        public ByteBuf allocate(ByteBufAllocator alloc) {
            mark.set();
            return super.allocate(alloc);
        }
    }
}
