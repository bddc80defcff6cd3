package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.ContentType;
import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.escrow.handover.tls.record.Trial;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Counts the records of a handshake, until it is known which version of TLS it is.
 *
 * <p>In TLS 1.3 the keys of the application begin behind the Finished of the client, in both directions: BoringSSL writes nothing
 * under them before it has read that, except with 0-RTT, which Netty does not offer. And the client can't have sent it before all
 * of the server's handshake was written. So what was written until the client's Finished came belongs to the handshake.
 */
final class HandshakeLedger extends RecordLedger {

    /** More encrypted records than certificates of clients come in, and how many bytes of them are kept until the handshake ends. */
    private static final int MAX_KEPT = 1 << 18;

    /** An encrypted record of the client, and how many the server had written when it came. */
    @SuppressWarnings("ArrayRecordComponent") // records are not compared
    private record Early(byte[] bytes, long written) {}

    private final List<Early> early = new ArrayList<>();
    private int kept;
    private long written;
    private boolean readsChanged;
    private boolean writesChanged;
    private long readsSince;
    private long writesSince;

    @Override
    boolean isOneByOne() {
        return true;
    }

    @Override
    boolean needsRecords() {
        return false;
    }

    @Override
    void reading(int count) {
        throw new IllegalStateException("records of a handshake are looked at");
    }

    /** Is told that a record is going to be handed to BoringSSL. */
    void reading(byte[] record) {
        int type = record[0];
        if (readsChanged) {
            readsSince++;
        } else if (type == ContentType.CHANGE_CIPHER_SPEC) {
            readsChanged = true;
        }
        if (type == ContentType.APPLICATION_DATA) {
            kept += record.length;
            if (kept > MAX_KEPT) {
                early.clear();
                trouble("more than " + MAX_KEPT + " bytes came before the end of the handshake was seen");
            } else {
                early.add(new Early(record, written));
            }
        }
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
        if (writesChanged) {
            writesSince++;
        } else if (type == ContentType.CHANGE_CIPHER_SPEC) {
            writesChanged = true;
        }
        if (type == ContentType.APPLICATION_DATA) {
            written++;
        }
        return false;
    }

    @Override
    public void copied(byte[] record) {
        throw new IllegalStateException("no record was asked for");
    }

    /** Returns the account of TLS 1.2: what was counted since each side changed to its keys. */
    RecordLedger tls12(CipherSuite suite) {
        return new Tls12Ledger(suite, readsSince, writesSince);
    }

    /**
     * Returns the account of TLS 1.3.
     *
     * @param exact whether the last record that was read ended the handshake; otherwise records behind it may have come, too
     */
    RecordLedger tls13(CipherSuite suite, TrafficSecrets secrets, boolean exact) {
        Tls13Ledger ledger = new Tls13Ledger(suite, secrets.client(), secrets.server());
        int first = exact ? early.size() : firstOfApplication(new Trial(suite, secrets.client()));
        if (first == 0) {
            ledger.trouble("the end of the handshake was not seen");
            return ledger;
        }
        ledger.wrote(written - early.get(first - 1).written);
        for (Early each : early.subList(first, early.size())) {
            ledger.readBefore(each.bytes);
        }
        return ledger;
    }

    private int firstOfApplication(Trial trial) {
        for (int i = 0; i < early.size(); i++) {
            if (trial.opens(ByteBuffer.wrap(early.get(i).bytes), 0)) {
                return i;
            }
        }
        return early.size();
    }

    @Override
    String whyBusy() {
        return "the handshake";
    }

    @Override
    boolean at(TlsPosition position) {
        position.set(0, 0, this, this);
        return false;
    }

    @Override
    TlsState state(ReferenceCountedOpenSslEngine engine, SessionInfo session) {
        throw new IllegalStateException("the handshake is not done");
    }

    @Override
    void destroy() {
        early.clear();
    }
}
