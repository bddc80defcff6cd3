package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.KeyDerivation;
import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.internal.tcnative.SSL;
import java.util.Arrays;

/** Counts the records of a connection of TLS 1.2, whose keys stay as they are: BoringSSL refuses to renegotiate. */
final class Tls12Ledger extends RecordLedger {

    private final CipherSuite suite;
    private long reads;
    private long writes;

    Tls12Ledger(CipherSuite suite, long reads, long writes) {
        this.suite = suite;
        this.reads = reads;
        this.writes = writes;
    }

    @Override
    boolean isOneByOne() {
        return false;
    }

    @Override
    boolean needsRecords() {
        return false;
    }

    @Override
    void reading(int count) {
        reads += count;
    }

    @Override
    boolean read(int length, int count, long plaintext) {
        return true;
    }

    @Override
    void open(byte[] records) {
        throw new IllegalStateException("no record was asked for");
    }

    @Override
    public boolean begin(int type, int length) {
        writes++;
        return false;
    }

    @Override
    public void copied(byte[] record) {
        throw new IllegalStateException("no record was asked for");
    }

    @Override
    String whyBusy() {
        return null;
    }

    @Override
    boolean at(TlsPosition position) {
        position.set(reads, writes, suite, suite);
        return trouble() == null;
    }

    @Override
    TlsState state(ReferenceCountedOpenSslEngine engine, SessionInfo session) {
        long pointer = engine.sslPointer();
        byte[] master = SSL.getMasterKey(pointer);
        KeyDerivation.KeyBlock keys =
                KeyDerivation.keyBlock(suite, master, SSL.getClientRandom(pointer), SSL.getServerRandom(pointer));
        Arrays.fill(master, (byte) 0);
        return new TlsState(
                suite,
                new TlsState.Direction(keys.client(), reads, engine.isInboundDone()),
                new TlsState.Direction(keys.server(), writes, engine.isOutboundDone()),
                false,
                new byte[0],
                session);
    }

    @Override
    void destroy() {
        // BoringSSL keeps the secrets.
    }
}
