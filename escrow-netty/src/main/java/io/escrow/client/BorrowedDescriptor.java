package io.escrow.client;

import io.netty.channel.unix.FileDescriptor;

/** Stands for the descriptor of a caller, to whom it belongs: has no references, so that the encoder does not close it. */
final class BorrowedDescriptor extends FileDescriptor {

    private final FileDescriptor owned;

    BorrowedDescriptor(FileDescriptor owned) {
        super(owned.intValue());
        this.owned = owned;
    }

    @Override
    public boolean isOpen() {
        return owned.isOpen();
    }
}
