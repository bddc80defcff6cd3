package io.escrow.handover.tls.source;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.ContentType;
import io.escrow.handover.tls.record.TlsState;
import io.escrow.handover.tls.record.Trial;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** The client's side of a connection of TLS 1.3 with AES-128-GCM behind its handshake, which may write whatever the standard allows. */
final class RawClient {

    private static final int KEY_UPDATE = 24;

    private final CipherSuite suite;
    private byte[] writeSecret;
    private long writeSequence;
    private Trial reads;
    private long readSequence;
    private final ByteArrayOutputStream record = new ByteArrayOutputStream();
    private final ByteArrayOutputStream received = new ByteArrayOutputStream();
    private int answers;

    /** Takes over a connection whose server has a state; all that was written must have been received. */
    RawClient(TlsState state) {
        suite = state.suite();
        writeSecret = state.reads().secret().clone();
        writeSequence = state.reads().sequence();
        reads = new Trial(suite, state.writes().secret());
        readSequence = state.writes().sequence();
    }

    byte[] writeSecret() {
        return writeSecret;
    }

    long writeSequence() {
        return writeSequence;
    }

    byte[] readSecret() {
        return reads.secret();
    }

    long readSequence() {
        return readSequence;
    }

    /** Returns how many KeyUpdates have come. */
    int answers() {
        return answers;
    }

    byte[] data(byte[] content, int padding) throws GeneralSecurityException {
        return seal(ContentType.APPLICATION_DATA, content, padding);
    }

    /** Returns a KeyUpdate, in one record or in two. */
    byte[] keyUpdate(boolean requested, int cut, int padding) throws GeneralSecurityException {
        byte[] message = {KEY_UPDATE, 0, 0, 1, (byte) (requested ? 1 : 0)};
        byte[] records = new byte[0];
        if (cut > 0) {
            records = seal(ContentType.HANDSHAKE, Arrays.copyOf(message, cut), padding);
        }
        byte[] last = seal(ContentType.HANDSHAKE, Arrays.copyOfRange(message, cut, message.length), padding);
        byte[] next = expand(writeSecret, "traffic upd", writeSecret.length);
        writeSecret = next;
        writeSequence = 0;
        byte[] all = Arrays.copyOf(records, records.length + last.length);
        System.arraycopy(last, 0, all, records.length, last.length);
        return all;
    }

    byte[] seal(int type, byte[] content, int padding) throws GeneralSecurityException {
        byte[] inner = Arrays.copyOf(content, content.length + 1 + padding);
        inner[content.length] = (byte) type;
        int length = inner.length + 16;
        byte[] header = {ContentType.APPLICATION_DATA, 3, 3, (byte) (length >> 8), (byte) length};
        byte[] nonce = expand(writeSecret, "iv", 12);
        for (int i = 0; i < 8; i++) {
            nonce[4 + i] ^= (byte) (writeSequence >>> (56 - 8 * i));
        }
        writeSequence++;
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(
                Cipher.ENCRYPT_MODE,
                new SecretKeySpec(expand(writeSecret, "key", 16), "AES"),
                new GCMParameterSpec(128, nonce));
        cipher.updateAAD(header);
        return ByteBuffer.allocate(5 + length)
                .put(header)
                .put(cipher.doFinal(inner))
                .array();
    }

    private static byte[] expand(byte[] secret, String label, int length) throws GeneralSecurityException {
        byte[] full = ("tls13 " + label).getBytes(US_ASCII);
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        byte[] info = ByteBuffer.allocate(full.length + 5)
                .putShort((short) length)
                .put((byte) full.length)
                .put(full)
                .put((byte) 0)
                .put((byte) 1)
                .array();
        return Arrays.copyOf(mac.doFinal(info), length);
    }

    /** Reads what the server has written; returns the data. */
    byte[] read(byte[] bytes) {
        record.writeBytes(bytes);
        ByteBuffer all = ByteBuffer.wrap(record.toByteArray());
        while (all.remaining() >= 5 && all.remaining() >= 5 + all.getShort(all.position() + 3)) {
            byte[] next = new byte[5 + all.getShort(all.position() + 3)];
            all.get(next);
            open(next);
        }
        record.reset();
        record.write(all.array(), all.position(), all.remaining());
        byte[] data = received.toByteArray();
        received.reset();
        return data;
    }

    private void open(byte[] sealed) {
        Trial.Content content = reads.open(ByteBuffer.wrap(sealed), readSequence)
                .orElseThrow(() -> new AssertionError("not record " + readSequence));
        readSequence++;
        byte[] bytes = content.bytes();
        if (content.type() == ContentType.APPLICATION_DATA) {
            received.writeBytes(bytes);
        } else if (content.type() == ContentType.HANDSHAKE) {
            int end = bytes.length;
            if (bytes[end - 5] == KEY_UPDATE && bytes[end - 2] == 1 && bytes[end - 3] == 0 && bytes[end - 4] == 0) {
                reads = reads.next();
                readSequence = 0;
                answers++;
            }
        }
    }
}
