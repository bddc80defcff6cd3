package io.escrow.handover.connection;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.RecvByteBufAllocator;

/** Does something before each read of a channel: that is when Netty asks for a buffer. */
final class MarkingReadAllocator implements RecvByteBufAllocator {

    private final RecvByteBufAllocator allocator;
    private final Runnable beforeRead;

    private MarkingReadAllocator(RecvByteBufAllocator allocator, Runnable beforeRead) {
        this.allocator = allocator;
        this.beforeRead = beforeRead;
    }

    /** Has something done before each read of a channel. To be called before it reads anything. */
    static void install(Channel channel, Runnable beforeRead) {
        RecvByteBufAllocator allocator = channel.config().getRecvByteBufAllocator();
        channel.config().setRecvByteBufAllocator(new MarkingReadAllocator(allocator, beforeRead));
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
            beforeRead.run();
            return super.allocate(alloc);
        }
    }
}
