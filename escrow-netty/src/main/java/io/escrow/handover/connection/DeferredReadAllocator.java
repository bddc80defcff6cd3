package io.escrow.handover.connection;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.RecvByteBufAllocator;

/**
 * Leaves what a peer has sent in the kernel while the connection is not served. A hang-up makes Netty read, whatever auto-read
 * says; and what a process has read that is not the connection's owner yet would be lost with it.
 *
 * <p>Netty asks for a buffer before each read. It gets an empty one, and learns that there was nothing to read.
 */
final class DeferredReadAllocator implements RecvByteBufAllocator {

    /** After so many in a row it is an error that epoll reports again and again until it is read. */
    private static final int MOST_IN_A_ROW = 8;

    private final RecvByteBufAllocator allocator;
    private final DeferredEvents events;

    private DeferredReadAllocator(RecvByteBufAllocator allocator, DeferredEvents events) {
        this.allocator = allocator;
        this.events = events;
    }

    /** Has a channel read nothing until its deferred events go on. To be called before it reads anything. */
    static void install(Channel channel, DeferredEvents events) {
        RecvByteBufAllocator allocator = channel.config().getRecvByteBufAllocator();
        channel.config().setRecvByteBufAllocator(new DeferredReadAllocator(allocator, events));
    }

    @Override
    @SuppressWarnings("deprecation") // Netty's own return type
    public Handle newHandle() {
        return new DeferredHandle();
    }

    private final class DeferredHandle extends ReadHandle {
        private boolean nothing;
        private int inARow;

        DeferredHandle() {
            super(allocator);
        }

        @Override
        public ByteBuf allocate(ByteBufAllocator alloc) {
            nothing = events.holdsReadBack() && inARow < MOST_IN_A_ROW;
            inARow = nothing ? inARow + 1 : 0;
            return nothing ? alloc.ioBuffer(0, 0) : super.allocate(alloc);
        }

        @Override
        public void lastBytesRead(int bytes) {
            // For Netty, to read nothing is the end of the stream.
            super.lastBytesRead(nothing ? 0 : bytes);
        }
    }
}
