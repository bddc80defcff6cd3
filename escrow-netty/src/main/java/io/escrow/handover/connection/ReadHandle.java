package io.escrow.handover.connection;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelConfig;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.RecvByteBufAllocator.ExtendedHandle;
import io.netty.util.UncheckedBooleanSupplier;

/**
 * Hands everything on to the handle that a channel has otherwise. Netty's own {@code DelegatingHandle} is shared with the transport's,
 * so that the compiler does not know whom it calls, several times for each read.
 */
@SuppressWarnings("deprecation") // Netty's own types
abstract class ReadHandle implements ExtendedHandle {

    private final ExtendedHandle handle;

    ReadHandle(RecvByteBufAllocator allocator) {
        // Netty's transports ask for no less.
        this.handle = (ExtendedHandle) allocator.newHandle();
    }

    @Override
    public ByteBuf allocate(ByteBufAllocator alloc) {
        return handle.allocate(alloc);
    }

    @Override
    public int guess() {
        return handle.guess();
    }

    @Override
    public void reset(ChannelConfig config) {
        handle.reset(config);
    }

    @Override
    public void incMessagesRead(int messages) {
        handle.incMessagesRead(messages);
    }

    @Override
    public void lastBytesRead(int bytes) {
        handle.lastBytesRead(bytes);
    }

    @Override
    public int lastBytesRead() {
        return handle.lastBytesRead();
    }

    @Override
    public void attemptedBytesRead(int bytes) {
        handle.attemptedBytesRead(bytes);
    }

    @Override
    public int attemptedBytesRead() {
        return handle.attemptedBytesRead();
    }

    @Override
    public boolean continueReading() {
        return handle.continueReading();
    }

    @Override
    public boolean continueReading(UncheckedBooleanSupplier maybeMoreData) {
        return handle.continueReading(maybeMoreData);
    }

    @Override
    public void readComplete() {
        handle.readComplete();
    }
}
