package io.escrow.codec;

import io.netty.channel.FileRegion;
import io.netty.util.AbstractReferenceCounted;

/** Takes its turn among the bytes of a channel, as a {@link FileRegion} does, to send something that is not bytes alone. */
abstract class SocketRegion extends AbstractReferenceCounted implements FileRegion {

    @Override
    public final long position() {
        return 0;
    }

    @Override
    @Deprecated
    @SuppressWarnings("InlineMeSuggester") // Netty's method
    public final long transfered() {
        return transferred();
    }

    @Override
    public final FileRegion retain() {
        super.retain();
        return this;
    }

    @Override
    public final FileRegion retain(int increment) {
        super.retain(increment);
        return this;
    }

    @Override
    public final FileRegion touch() {
        return this;
    }

    @Override
    public final FileRegion touch(Object hint) {
        return this;
    }
}
