package io.escrow.handover.tls.record;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The bytes of a {@link TlsState}; RECORDS.md has their layout. */
final class TlsStateCodec {

    private static final int VERSION = 1;
    private static final int TLS_1_2 = 0x0303;
    private static final int TLS_1_3 = 0x0304;
    private static final int READS_CLOSED = 1;
    private static final int WRITES_CLOSED = 2;
    private static final int HALF_CLOSE = 4;
    private static final int OWES_KEY_UPDATE = 8;
    private static final int ALL_FLAGS = READS_CLOSED | WRITES_CLOSED | HALF_CLOSE | OWES_KEY_UPDATE;

    private TlsStateCodec() {}

    static byte[] encode(TlsState state) {
        SessionInfo session = state.session();
        byte[] suite = text("cipher suite", state.suite().name());
        byte[] protocol = text("application protocol", session.applicationProtocol());
        byte[] serverName = text("server name", session.serverName());
        int certificates = 0;
        for (byte[] each : session.peerCertificates()) {
            certificates += 2 + each.length;
        }
        ByteBuffer out = ByteBuffer.allocate(1
                + 2
                + 2
                + suite.length
                + 1
                + 2 * (state.suite().secretLength() + 8)
                + 4
                + state.message().length
                + 2
                + protocol.length
                + 2
                + serverName.length
                + 1
                + session.id().length
                + 8
                + 1
                + certificates);
        out.put((byte) VERSION);
        out.putShort((short) (state.suite().isTls13() ? TLS_1_3 : TLS_1_2));
        putShort(out, suite);
        out.put((byte) flags(state));
        out.put(state.reads().secret()).putLong(state.reads().sequence());
        out.put(state.writes().secret()).putLong(state.writes().sequence());
        out.putInt(state.message().length).put(state.message());
        putShort(out, protocol);
        putShort(out, serverName);
        out.put((byte) session.id().length).put(session.id());
        out.putLong(session.creationTime());
        out.put((byte) session.peerCertificates().size());
        session.peerCertificates().forEach(each -> putShort(out, each));
        return out.array();
    }

    private static int flags(TlsState state) {
        return (state.reads().closed() ? READS_CLOSED : 0)
                | (state.writes().closed() ? WRITES_CLOSED : 0)
                | (state.halfClose() ? HALF_CLOSE : 0)
                | (state.owesKeyUpdate() ? OWES_KEY_UPDATE : 0);
    }

    private static byte[] text(String what, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > 0xffff) {
            throw new IllegalArgumentException(what + ": " + bytes.length + " bytes (expected: at most 65535)");
        }
        return bytes;
    }

    private static void putShort(ByteBuffer out, byte[] bytes) {
        out.putShort((short) bytes.length).put(bytes);
    }

    static TlsState decode(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        TlsState state;
        try {
            state = read(in);
        } catch (BufferUnderflowException e) {
            throw new IllegalArgumentException("TLS state: " + bytes.length + " bytes are too few", e);
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("TLS state: a text is not UTF-8", e);
        }
        if (in.hasRemaining()) {
            throw new IllegalArgumentException("TLS state: goes on after its end, by " + in.remaining() + " bytes");
        }
        return state;
    }

    private static TlsState read(ByteBuffer in) throws CharacterCodingException {
        int version = in.get() & 0xff;
        if (version != VERSION) {
            throw new IllegalArgumentException("TLS state: version " + version + " (expected: " + VERSION + ")");
        }
        CipherSuite suite = suite(in.getShort() & 0xffff, text(in));
        int flags = in.get();
        if ((flags & ~ALL_FLAGS) != 0) {
            throw new IllegalArgumentException("TLS state: flags " + flags + " (expected: only " + ALL_FLAGS + ")");
        }
        TlsState.Direction reads = direction(in, suite, (flags & READS_CLOSED) != 0);
        TlsState.Direction writes = direction(in, suite, (flags & WRITES_CLOSED) != 0);
        byte[] message = bytes(in, in.getInt());
        String protocol = text(in);
        String serverName = text(in);
        byte[] id = bytes(in, in.get() & 0xff);
        long creationTime = in.getLong();
        int count = in.get() & 0xff;
        List<byte[]> certificates = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            certificates.add(bytes(in, in.getShort() & 0xffff));
        }
        SessionInfo session = new SessionInfo(protocol, serverName, id, creationTime, certificates);
        return new TlsState(
                suite, reads, writes, (flags & HALF_CLOSE) != 0, (flags & OWES_KEY_UPDATE) != 0, message, session);
    }

    private static CipherSuite suite(int version, String name) {
        String protocol = switch (version) {
            case TLS_1_2 -> CipherSuite.TLS_1_2;
            case TLS_1_3 -> CipherSuite.TLS_1_3;
            default ->
                throw new IllegalArgumentException(
                        "TLS state: protocol version " + version + " (expected: " + TLS_1_2 + " or " + TLS_1_3 + ")");
        };
        return CipherSuite.of(protocol, name)
                .orElseThrow(() -> new IllegalArgumentException(
                        "TLS state: cipher suite " + name + " of " + protocol + " (expected: one that moves)"));
    }

    private static TlsState.Direction direction(ByteBuffer in, CipherSuite suite, boolean closed) {
        return new TlsState.Direction(bytes(in, suite.secretLength()), in.getLong(), closed);
    }

    private static String text(ByteBuffer in) throws CharacterCodingException {
        byte[] bytes = bytes(in, in.getShort() & 0xffff);
        if (isAscii(bytes)) {
            // As most are: without a decoder of their own.
            return new String(bytes, StandardCharsets.US_ASCII);
        }
        return StandardCharsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(bytes))
                .toString();
    }

    private static boolean isAscii(byte[] bytes) {
        for (byte b : bytes) {
            if (b < 0) {
                return false;
            }
        }
        return true;
    }

    private static byte[] bytes(ByteBuffer in, int length) {
        if (length < 0 || length > in.remaining()) {
            throw new BufferUnderflowException();
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return bytes;
    }
}
