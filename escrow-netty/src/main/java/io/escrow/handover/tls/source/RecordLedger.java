package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;

/** Keeps account of the records of a connection, in both directions. What is written, it counts as a {@link RecordStream.Counter}. */
abstract class RecordLedger implements RecordStream.Counter {

    private String trouble;

    /** Returns whether {@link #read} is to be called for each record on its own. */
    abstract boolean isOneByOne();

    /** Returns whether {@link #read} is to be called. */
    abstract boolean needsRecords();

    /** Is told that records are going to be handed to BoringSSL, which may write at once. */
    abstract void reading(int count);

    /**
     * Is told that records were handed to BoringSSL.
     *
     * @param length the bytes of all
     * @param count how many
     * @param plaintext how many bytes have come out meanwhile
     * @return whether that is enough; otherwise {@link #open} is called
     */
    abstract boolean read(int length, int count, long plaintext);

    /** Looks into records that were handed to BoringSSL. */
    abstract void open(byte[] records);

    /** Returns what will be over soon; {@code null} if nothing is half done. */
    abstract String whyBusy();

    /** Fills in where the connection is; returns whether the account is right, and nothing is owed or half done. */
    abstract boolean at(TlsPosition position);

    /** Returns the state, with secrets of its own. */
    abstract TlsState state(ReferenceCountedOpenSslEngine engine, SessionInfo session);

    /** Overwrites the secrets that it has. */
    abstract void destroy();

    /** Returns why the account is wrong from now on; {@code null} if it is right. */
    final String trouble() {
        return trouble;
    }

    final void trouble(String why) {
        if (trouble == null) {
            trouble = why;
            destroy();
        }
    }
}
