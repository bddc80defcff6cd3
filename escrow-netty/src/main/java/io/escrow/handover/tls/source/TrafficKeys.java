package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.TlsState;
import io.escrow.handover.tls.record.Trial;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/** The keys of one direction of a connection of TLS 1.3. */
final class TrafficKeys {

    private final CipherSuite suite;
    private byte[] secret;
    /** Made when it is needed: on most connections never. */
    private Trial trial;

    TrafficKeys(CipherSuite suite, byte[] secret) {
        this.suite = suite;
        this.secret = secret;
    }

    /** Returns what is another object when the key is another one. */
    Object key() {
        return secret;
    }

    /** Opens the record of a number, which counts nothing. */
    Optional<Trial.Content> open(byte[] record, long number) {
        if (trial == null) {
            trial = new Trial(suite, secret);
        }
        return trial.open(ByteBuffer.wrap(record), number);
    }

    /** Takes the next keys. */
    void update() {
        if (trial == null) {
            trial = new Trial(suite, secret);
        }
        Trial next = trial.next();
        destroy();
        trial = next;
        secret = next.secret().clone();
    }

    TlsState.Direction state(long sequence, boolean closed) {
        return new TlsState.Direction(secret.clone(), sequence, closed);
    }

    void destroy() {
        Arrays.fill(secret, (byte) 0);
        if (trial != null) {
            Arrays.fill(trial.secret(), (byte) 0);
            trial = null;
        }
    }
}
