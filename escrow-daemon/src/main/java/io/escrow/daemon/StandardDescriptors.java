package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.internal.Futures;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;

/** The descriptors 0, 1 and 2 of this process. */
final class StandardDescriptors {

    private StandardDescriptors() {}

    /**
     * Opens /dev/null until all of them are open: a descriptor received with number 0 would be taken for the end of file.
     *
     * @throws EscrowException if it can't be opened
     */
    static void occupy() throws EscrowException {
        try {
            FileDescriptor filler;
            do {
                filler = FileDescriptor.from("/dev/null");
            } while (filler.intValue() <= 2);
            filler.close();
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "/dev/null can't be opened: " + e, e);
        }
    }
}
