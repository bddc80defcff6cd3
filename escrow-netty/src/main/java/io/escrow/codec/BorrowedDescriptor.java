package io.escrow.codec;

import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;

/** Stands for the descriptor of a caller, to whom it belongs: has no references, so that the encoder does not close it. */
public final class BorrowedDescriptor extends FileDescriptor {

    private final FileDescriptor owned;

    /**
     * Stands for a descriptor.
     *
     * @param owned the descriptor of the caller
     */
    public BorrowedDescriptor(FileDescriptor owned) {
        super(owned.intValue());
        this.owned = owned;
    }

    /** Returns whether it is a socket of one of Netty's channels, which does not block. */
    boolean isOfChannel() {
        return owned instanceof Socket;
    }

    @Override
    public boolean isOpen() {
        return owned.isOpen();
    }
}
