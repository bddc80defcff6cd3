package io.escrow.client;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.OwnedDescriptor;
import io.escrow.TagInfo;
import io.escrow.codec.BorrowedDescriptor;
import io.escrow.codec.Frame;
import io.escrow.codec.Wire;
import io.netty.channel.unix.FileDescriptor;
import java.util.function.Consumer;

/** Converts the values of callers to frames, and frames to values. */
final class Conversions {

    private Conversions() {}

    static Frame addFrame(Deposit deposit) {
        FileDescriptor descriptor = deposit.descriptor();
        boolean keepFlags = descriptor != null && Wire.flagsLost(descriptor) != null;
        FileDescriptor borrowed = descriptor == null ? null : new BorrowedDescriptor(descriptor);
        int number = descriptor == null ? -1 : descriptor.intValue();
        return new Frame.Add(
                deposit.tag(), deposit.index(), number, deposit.payload(), deposit.farewell(), keepFlags, borrowed);
    }

    /** Gives the entry of an answer to its new owner; closes it if the owner throws. */
    static void give(Frame answer, Consumer<Entry> sink) {
        Entry entry = entry(answer);
        try {
            sink.accept(entry);
        } catch (RuntimeException e) {
            entry.close();
            throw e;
        }
    }

    static TagInfo tagInfo(Frame answer) {
        Frame.Info info = (Frame.Info) answer;
        return new TagInfo(info.used(), info.end(), info.payloadBytes());
    }

    /** Makes an entry of the answer to a GET. The entry owns the descriptor. */
    static Entry entry(Frame answer) {
        Frame.Add add = (Frame.Add) answer;
        return new Entry(add.tag(), add.index(), add.number(), add.payload(), add.farewell(), (OwnedDescriptor)
                add.descriptor());
    }
}
