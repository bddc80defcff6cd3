package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import javax.net.ssl.SSLException;

/** The server's side of a connection behind its handshake: data, alerts, and the messages that are still allowed. */
final class TlsConnection {

    /** After as many records TLS 1.3 takes another key. RFC 8446, 5.5, allows AES-GCM 2^24.5 of the longest ones. */
    static final long RECORDS_PER_KEY = 1L << 23;
    /** TLS 1.2 can't take another key. It ends the connection while there are numbers left for that. */
    static final long LAST_RECORD = Long.MAX_VALUE - 16;
    /** As many records without data may come in a row; BoringSSL allows as many. */
    static final int MAX_WITHOUT_DATA = 32;

    private static final int CLIENT_HELLO = 1;
    private static final int KEY_UPDATE = 24;
    private static final int MESSAGE_HEADER = 4;
    private static final byte[] NOTHING = {};

    private final CipherSuite suite;
    private final RecordCipher reads;
    private final RecordCipher writes;
    private final boolean halfClose;
    /** Holds what goes out before any data: the type of the record, then the content. */
    private final Deque<byte[]> control = new ArrayDeque<>();

    /** A KeyUpdate is to be sent before the next data. */
    private boolean owesKeyUpdate;

    private byte[] message;
    private boolean closeReceived;
    private boolean inboundClosed;
    private boolean outboundClosed;
    private boolean failed;
    private int withoutData;

    TlsConnection(TlsState state) {
        suite = state.suite();
        reads = new RecordCipher(suite, state.reads().secret(), state.reads().sequence());
        writes = new RecordCipher(suite, state.writes().secret(), state.writes().sequence());
        halfClose = state.halfClose();
        owesKeyUpdate = state.owesKeyUpdate();
        message = state.message();
        closeReceived = state.reads().closed();
        inboundClosed = closeReceived;
        outboundClosed = state.writes().closed();
    }

    boolean isInboundClosed() {
        return inboundClosed;
    }

    boolean isOutboundClosed() {
        return outboundClosed;
    }

    /** Returns whether the connection has ended by a fatal alert, of either side. */
    boolean hasFailed() {
        return failed;
    }

    /** Returns whether something is to be sent before any data. */
    boolean hasControl() {
        return !control.isEmpty();
    }

    /** Returns how long the next record of those is. */
    int controlLength() {
        return control.element().length - 1 + suite.overhead();
    }

    /** Sends the next record of those. */
    void sendControl(ByteBuffer target) throws SSLException {
        byte[] next = control.remove();
        ByteBuffer content = ByteBuffer.wrap(next, 1, next.length - 1);
        seal(next[0], new ByteBuffer[] {content}, 0, content.remaining(), target);
        if (next[0] == ContentType.HANDSHAKE) {
            writes.update();
        }
    }

    /** Sees to it that no key seals too much; to be called before {@link #sendData}. May close the outbound, or add to what comes first. */
    void beforeData() {
        if (owesKeyUpdate || (suite.isTls13() && writes.sequence() >= RECORDS_PER_KEY)) {
            updateKey(false);
        } else if (!suite.isTls13() && writes.sequence() >= LAST_RECORD) {
            closeOutbound();
        }
    }

    /** Returns how long a record of data is. */
    int dataLength(int content) {
        return content + suite.overhead();
    }

    /** Sends a record of data; see {@link RecordCipher#seal}. */
    void sendData(ByteBuffer[] sources, int offset, int length, ByteBuffer target) throws SSLException {
        seal(ContentType.APPLICATION_DATA, sources, offset, length, target);
    }

    private void seal(int type, ByteBuffer[] sources, int offset, int length, ByteBuffer target) throws SSLException {
        try {
            writes.seal(type, sources, offset, length, target);
        } catch (GeneralSecurityException e) {
            control.clear();
            end();
            throw new SSLException("a record could not be sealed", e);
        }
    }

    /** Takes another key for what is written, with the next record. */
    void updateKey(boolean alsoOfThePeer) {
        owesKeyUpdate = false;
        boolean queued = control.stream().anyMatch(each -> each[0] == ContentType.HANDSHAKE);
        if (!queued && !outboundClosed) {
            control.add(new byte[] {ContentType.HANDSHAKE, KEY_UPDATE, 0, 0, 1, (byte) (alsoOfThePeer ? 1 : 0)});
        }
    }

    /** Sends close_notify, unless it was sent before. */
    void closeOutbound() {
        if (!outboundClosed) {
            outboundClosed = true;
            send(Alert.WARNING, Alert.CLOSE_NOTIFY);
        }
    }

    /**
     * Reads no more.
     *
     * @return whether the peer had said that it was done
     */
    boolean closeInbound() {
        boolean complete = inboundClosed;
        inboundClosed = true;
        return complete;
    }

    private void send(int level, Alert alert) {
        control.add(new byte[] {ContentType.ALERT, (byte) level, (byte) alert.code()});
    }

    /**
     * Returns how long the record is that begins here, with its header.
     *
     * @param buffer has at least the header; is not changed
     * @throws SSLException if no record is as long
     */
    int recordLength(ByteBuffer buffer) throws SSLException {
        int at = buffer.position() + RecordFormat.HEADER - 2;
        int length = RecordFormat.HEADER + ((buffer.get(at) & 0xff) << 8 | (buffer.get(at + 1) & 0xff));
        int max = suite.overhead() + RecordFormat.MAX_CONTENT + (suite.isTls13() ? RecordFormat.MAX_PADDING : 0);
        if (length > max) {
            throw fail(Alert.RECORD_OVERFLOW, "record: " + length + " bytes (expected: at most " + max + ")");
        }
        return length;
    }

    /** Returns how much a record has to hold, at most. */
    int contentLength(int recordLength) {
        return Math.max(0, recordLength - suite.overhead());
    }

    /**
     * Receives a record.
     *
     * @param record exactly one, big-endian; is read
     * @param target has room for {@link #contentLength}, and for one byte more; gets the data
     * @throws SSLException if the record ends the connection; there may be an alert to send then
     */
    void receive(ByteBuffer record, ByteBuffer target) throws SSLException {
        checkHeader(record);
        int start = target.position();
        int type;
        try {
            type = reads.open(record, target);
        } catch (GeneralSecurityException e) {
            throw fail(Alert.BAD_RECORD_MAC, "a record does not authenticate", e);
        }
        int length = target.position() - start;
        if (length > RecordFormat.MAX_CONTENT) {
            throw fail(
                    Alert.RECORD_OVERFLOW,
                    "content of a record: " + length + " bytes (expected: at most " + RecordFormat.MAX_CONTENT + ")");
        }
        if (message.length > 0 && type != ContentType.HANDSHAKE) {
            throw fail(Alert.UNEXPECTED_MESSAGE, "a record of type " + type + " in the middle of a handshake message");
        }
        if (type == ContentType.APPLICATION_DATA && length > 0) {
            withoutData = 0;
            return;
        }
        if (++withoutData > MAX_WITHOUT_DATA) {
            throw fail(Alert.UNEXPECTED_MESSAGE, "more than " + MAX_WITHOUT_DATA + " records without data in a row");
        }
        if (type != ContentType.APPLICATION_DATA) {
            byte[] content = new byte[length];
            target.position(start);
            target.get(content).position(start);
            receive(type, content);
        }
    }

    private void checkHeader(ByteBuffer record) throws SSLException {
        int type = record.get(record.position()) & 0xff;
        if (suite.isTls13() ? type != ContentType.APPLICATION_DATA : type == ContentType.CHANGE_CIPHER_SPEC) {
            throw fail(Alert.UNEXPECTED_MESSAGE, "a record of type " + type + " behind the handshake");
        }
        if (!suite.isTls13() && record.getShort(record.position() + 1) != RecordFormat.VERSION) {
            throw fail(Alert.PROTOCOL_VERSION, "a record of another version");
        }
        if (record.remaining() < suite.overhead()) {
            throw fail(
                    Alert.BAD_RECORD_MAC,
                    "record: " + record.remaining() + " bytes (expected: at least " + suite.overhead() + ")");
        }
        if (reads.sequence() == Long.MAX_VALUE) {
            throw fail(Alert.INTERNAL_ERROR, "the numbers of the peer's records are used up");
        }
    }

    private void receive(int type, byte[] content) throws SSLException {
        switch (type) {
            case ContentType.ALERT -> receiveAlert(content);
            case ContentType.HANDSHAKE -> receiveHandshake(content);
            default -> throw fail(Alert.UNEXPECTED_MESSAGE, "a record of type " + type + " behind the handshake");
        }
    }

    private void receiveAlert(byte[] content) throws SSLException {
        if (content.length != 2) {
            throw fail(Alert.DECODE_ERROR, "alert: " + content.length + " bytes (expected: 2)");
        }
        int code = content[1] & 0xff;
        if (code == Alert.CLOSE_NOTIFY.code()) {
            closeReceived = true;
            inboundClosed = true;
            if (!halfClose) {
                closeOutbound();
            }
        } else if (code != Alert.USER_CANCELED.code() && (suite.isTls13() || content[0] != Alert.WARNING)) {
            control.clear();
            end();
            throw new SSLException("the peer has ended the connection by the alert " + code);
        }
    }

    private void receiveHandshake(byte[] content) throws SSLException {
        if (content.length == 0) {
            throw fail(Alert.UNEXPECTED_MESSAGE, "a handshake record without content");
        }
        byte[] all = Arrays.copyOf(message, message.length + content.length);
        System.arraycopy(content, 0, all, message.length, content.length);
        int start = 0;
        while (all.length - start > 0) {
            int type = all[start];
            if (suite.isTls13() ? type != KEY_UPDATE : type != CLIENT_HELLO && type != 0) {
                throw fail(Alert.UNEXPECTED_MESSAGE, "handshake message " + type + " behind the handshake");
            }
            if (all.length - start < MESSAGE_HEADER) {
                break;
            }
            int end = start + MESSAGE_HEADER + (ByteBuffer.wrap(all).getInt(start) & 0xffffff);
            checkLength(type, end - start);
            if (end > all.length) {
                break;
            }
            if (suite.isTls13()) {
                receiveKeyUpdate(all[end - 1], end == all.length);
            } else {
                send(Alert.WARNING, Alert.NO_RENEGOTIATION);
            }
            start = end;
        }
        message = start == all.length ? NOTHING : Arrays.copyOfRange(all, start, all.length);
    }

    private void checkLength(int type, int length) throws SSLException {
        int max = suite.isTls13() ? MESSAGE_HEADER + 1 : TlsState.MAX_MESSAGE;
        int min = suite.isTls13() ? max : MESSAGE_HEADER;
        if (length < min || length > max) {
            throw fail(
                    Alert.DECODE_ERROR,
                    "handshake message " + type + ": " + length + " bytes (expected: " + min + ".." + max + ")");
        }
    }

    private void receiveKeyUpdate(int request, boolean last) throws SSLException {
        if (request != 0 && request != 1) {
            throw fail(Alert.ILLEGAL_PARAMETER, "KeyUpdate: request " + request + " (expected: 0 or 1)");
        }
        if (!last) {
            throw fail(Alert.UNEXPECTED_MESSAGE, "a KeyUpdate that is not at the end of its record");
        }
        reads.update();
        if (request == 1) {
            updateKey(false);
        }
    }

    private SSLException fail(Alert alert, String why) {
        return fail(alert, why, null);
    }

    private SSLException fail(Alert alert, String why, Throwable cause) {
        if (!outboundClosed) {
            send(Alert.FATAL, alert);
        }
        end();
        return new SSLException(why, cause);
    }

    private void end() {
        failed = true;
        inboundClosed = true;
        outboundClosed = true;
    }

    /** Returns whether nothing is half done in either direction, and fills in where the connection is. */
    boolean at(TlsPosition position) {
        position.set(reads.sequence(), writes.sequence(), reads.secret(), writes.secret());
        return !failed
                && !closeReceived
                && !inboundClosed
                && !outboundClosed
                && !owesKeyUpdate
                && message.length == 0
                && control.isEmpty();
    }

    /** Returns what another process needs to go on; the secrets are copies. There must be nothing to send, and no failure. */
    TlsState state(SessionInfo session) {
        return new TlsState(
                suite,
                new TlsState.Direction(reads.secret().clone(), reads.sequence(), closeReceived),
                new TlsState.Direction(writes.secret().clone(), writes.sequence(), outboundClosed),
                halfClose,
                owesKeyUpdate,
                message,
                session);
    }

    /** Lets go of all keys. */
    void destroy() {
        reads.destroy();
        writes.destroy();
        control.clear();
        end();
    }
}
