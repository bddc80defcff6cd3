package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.security.Key;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSession;

/**
 * Reads secrets and sequence numbers out of one {@code sun.security.ssl.SSLEngineImpl}, which has them exactly: in its two ciphers,
 * whose {@code Authenticator} counts the records. Changes nothing.
 */
final class JdkEngine {

    private static final String CLASS = "sun.security.ssl.SSLEngineImpl";
    private static final String PACKAGE = "sun.security.ssl";

    private record Name(Class<?> type, String field) {}

    private static final Map<Name, Optional<Field>> FIELDS = new ConcurrentHashMap<>();

    private final SSLEngine engine;

    JdkEngine(SSLEngine engine) {
        this.engine = engine;
    }

    /** Returns the JDK's engine inside of another one of Netty's; {@code null} if there is none. */
    static SSLEngine of(SSLEngine engine) {
        Object inner = engine;
        while (inner instanceof SSLEngine && !inner.getClass().getName().equals(CLASS)) {
            Field wrapped = inner.getClass().getName().startsWith("io.netty.") ? find(inner, "engine") : null;
            inner = wrapped == null || !wrapped.trySetAccessible() ? null : read(wrapped, inner);
        }
        return (SSLEngine) inner;
    }

    /** Returns why the engine can't be read, and what to change; {@code null} if it can. */
    String whyUnknown() {
        Class<?> type = engine.getClass();
        Module own = JdkEngine.class.getModule();
        if (!type.getModule().isOpen(PACKAGE, own)) {
            return "TLS of the JDK's provider, whose keys can't be read: start Java with --add-opens java.base/"
                    + PACKAGE + "=" + (own.isNamed() ? own.getName() : "ALL-UNNAMED") + ", or use SslProvider.OPENSSL";
        }
        try {
            sequence(cipher("inputRecord", "readCipher"));
            sequence(cipher("outputRecord", "writeCipher"));
            return null;
        } catch (IllegalStateException e) {
            return "TLS of the JDK's provider, whose keys can't be read in this version of Java: " + e.getMessage()
                    + ": use SslProvider.OPENSSL";
        }
    }

    /** Returns what is half done; {@code null} if nothing is. */
    String whyBusy() {
        Object context = get(engine, "conContext");
        if (get(context, "handshakeContext") != null || get(get(context, "inputRecord"), "handshakeBuffer") != null) {
            return "a message of the TLS handshake is not complete";
        }
        return null;
    }

    /** Fills in where the connection is; returns whether nothing is half done. */
    boolean at(TlsPosition position) {
        Object reads = cipher("inputRecord", "readCipher");
        Object writes = cipher("outputRecord", "writeCipher");
        position.set(sequence(reads), sequence(writes), reads, writes);
        return whyBusy() == null && !engine.isInboundDone() && !engine.isOutboundDone();
    }

    /** Returns the state of a connection at rest. */
    TlsState state(String applicationProtocol) {
        SSLSession session = engine.getSession();
        CipherSuite suite = CipherSuite.of(session.getProtocol(), session.getCipherSuite())
                .orElseThrow(() -> new IllegalStateException("cipher suite " + session.getCipherSuite()));
        return new TlsState(
                suite,
                direction(suite, cipher("inputRecord", "readCipher"), engine.isInboundDone()),
                direction(suite, cipher("outputRecord", "writeCipher"), engine.isOutboundDone()),
                suite.isTls13(),
                new byte[0],
                SessionInfo.of(session, applicationProtocol, serverName(session)));
    }

    private static String serverName(SSLSession session) {
        List<SNIServerName> names =
                session instanceof ExtendedSSLSession extended ? extended.getRequestedServerNames() : List.of();
        return names.stream()
                .filter(SNIHostName.class::isInstance)
                .map(name -> ((SNIHostName) name).getAsciiName())
                .findFirst()
                .orElse(null);
    }

    private Object cipher(String record, String cipher) {
        return get(get(get(engine, "conContext"), record), cipher);
    }

    private static TlsState.Direction direction(CipherSuite suite, Object cipher, boolean closed) {
        return new TlsState.Direction(secret(suite, cipher), sequence(cipher), closed);
    }

    private static long sequence(Object cipher) {
        // Its first eight bytes are the number of the next record.
        return ByteBuffer.wrap((byte[]) get(get(cipher, "authenticator"), "block"))
                .getLong();
    }

    private static byte[] secret(CipherSuite suite, Object cipher) {
        if (suite.isTls13()) {
            return ((Key) get(cipher, "baseSecret")).getEncoded();
        }
        byte[] key = ((Key) get(cipher, "key")).getEncoded();
        byte[] iv = (byte[]) get(cipher, find(cipher, "fixedIv") == null ? "iv" : "fixedIv");
        return ByteBuffer.allocate(key.length + iv.length).put(key).put(iv).array();
    }

    private static Object get(Object object, String name) {
        Field field = object == null ? null : find(object, name);
        if (field == null || !field.trySetAccessible()) {
            throw new IllegalStateException("there is no " + name
                    + (object == null ? "" : " in a " + object.getClass().getName()));
        }
        return read(field, object);
    }

    private static Object read(Field field, Object object) {
        try {
            return field.get(object);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(field + " is not accessible", e);
        }
    }

    /** Finds a field of an object's class, or of one that it extends; returns {@code null} if there is none. */
    private static Field find(Object object, String name) {
        return FIELDS.computeIfAbsent(new Name(object.getClass(), name), JdkEngine::find)
                .orElse(null);
    }

    private static Optional<Field> find(Name name) {
        for (Class<?> c = name.type(); c != null; c = c.getSuperclass()) {
            try {
                return Optional.of(c.getDeclaredField(name.field()));
            } catch (NoSuchFieldException e) {
                // Perhaps in the class that it extends.
            }
        }
        return Optional.empty();
    }
}
