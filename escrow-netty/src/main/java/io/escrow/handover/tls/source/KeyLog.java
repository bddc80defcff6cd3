package io.escrow.handover.tls.source;

import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.ReferenceCountedOpenSslContext;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslContext;
import io.netty.internal.tcnative.SSLContext;
import io.netty.util.concurrent.FastThreadLocal;
import java.lang.reflect.Field;
import java.lang.reflect.InaccessibleObjectException;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hears the secrets of TLS 1.3 that BoringSSL tells of during a handshake (the key log of RFC 9850), and keeps those of followed
 * connections. Whatever belongs to no followed connection is dropped at once.
 */
final class KeyLog {

    private static final Logger logger = LoggerFactory.getLogger(KeyLog.class);
    private static final String CLIENT = "CLIENT_TRAFFIC_SECRET_0";
    private static final String SERVER = "SERVER_TRAFFIC_SECRET_0";

    /** Followed connections by {@code SSL*}, for handshakes that go on with another thread. */
    private static final Map<Long, TrafficSecrets> BY_ENGINE = new ConcurrentHashMap<>();

    /** The followed connection whose bytes this thread hands to BoringSSL, whose {@code SSL*} may not be known yet. */
    private static final FastThreadLocal<TrafficSecrets> CURRENT = new FastThreadLocal<>();

    /** The contexts that are listened to; each lives as long as it is used. */
    private static final Set<SslContext> HEARD =
            Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

    /** Where an engine keeps its context; {@code null} if that can't be read. */
    private static final Field PARENT = parentField();

    private KeyLog() {}

    private static Field parentField() {
        try {
            Field field = ReferenceCountedOpenSslEngine.class.getDeclaredField("parentContext");
            return field.trySetAccessible() ? field : null;
        } catch (NoSuchFieldException e) {
            return null;
        }
    }

    /**
     * Listens to the context of an engine whose handshake has not begun, if that can be done. If not, the engine does not tell its
     * secrets, and the connection stays.
     */
    static void listenToContextOf(ReferenceCountedOpenSslEngine engine) {
        try {
            if (PARENT != null && PARENT.get(engine) instanceof SslContext context && !HEARD.contains(context)) {
                listenTo(context);
            }
        } catch (IllegalAccessException | IllegalArgumentException e) {
            logger.debug("the context of {} can't be listened to", engine, e);
        }
    }

    /**
     * Listens to a context, from its next handshake on.
     *
     * @throws IllegalArgumentException if that can't be done; says why, and what to change
     */
    static void listenTo(SslContext context) {
        if (!(context instanceof ReferenceCountedOpenSslContext openSsl)) {
            throw new IllegalArgumentException(
                    "the SslContext is a " + context.getClass().getName()
                            + ": make it with SslContextBuilder.sslProvider(SslProvider.OPENSSL)");
        }
        String library = String.valueOf(OpenSsl.versionString());
        if (!library.startsWith("BoringSSL")) {
            throw new IllegalArgumentException("the provider OPENSSL is " + library
                    + ", whose connections can't move: take netty-tcnative-boringssl-static, or SslProvider.JDK");
        }
        if (!openSsl.isServer()) {
            throw new IllegalArgumentException("the SslContext is a client's: give the server's");
        }
        if (!SSLContext.setKeyLogCallback(pointer(openSsl), KeyLog::hear)) {
            throw new IllegalArgumentException(
                    "this netty-tcnative does not tell keys: take the netty-tcnative-boringssl-static of Netty's BOM");
        }
        HEARD.add(context);
    }

    /**
     * Finds the pointer that tcnative's functions take. What {@code context()} and {@code sslCtxPointer()} return is another one,
     * BoringSSL's own: with that the JVM would crash.
     */
    @SuppressWarnings("deprecation") // sslCtxPointer() is, and nothing else tells whether the other pointer is right
    private static long pointer(ReferenceCountedOpenSslContext context) {
        try {
            Field field = ReferenceCountedOpenSslContext.class.getDeclaredField("ctx");
            if (field.getType() != long.class || Modifier.isStatic(field.getModifiers())) {
                throw new NoSuchFieldException(field.toString());
            }
            field.setAccessible(true);
            long pointer = field.getLong(context);
            long inner = context.sslCtxPointer();
            if (pointer == 0 || pointer == inner || SSLContext.getSslCtx(pointer) != inner) {
                throw new NoSuchFieldException(field + " is not the pointer of tcnative");
            }
            return pointer;
        } catch (ReflectiveOperationException | InaccessibleObjectException e) {
            throw new IllegalArgumentException(
                    "this version of Netty keeps its context in another way than those that this library knows: " + e,
                    e);
        }
    }

    /** Is called by BoringSSL, in the thread of a handshake. */
    private static void hear(long engine, byte[] line) {
        TrafficSecrets secrets = BY_ENGINE.get(engine);
        if (secrets == null) {
            secrets = CURRENT.get();
        }
        if (secrets == null) {
            return;
        }
        String[] words = new String(line, StandardCharsets.US_ASCII).split(" ", -1);
        if (words.length != 3) {
            return;
        }
        if (words[0].equals(CLIENT)) {
            secrets.client(engine, HexFormat.of().parseHex(words[2]));
        } else if (words[0].equals(SERVER)) {
            secrets.server(engine, HexFormat.of().parseHex(words[2]));
        }
    }

    /** Keeps what an engine tells, in whatever thread, until {@link #forget}. */
    static void follow(long engine, TrafficSecrets secrets) {
        BY_ENGINE.put(engine, secrets);
    }

    static void forget(long engine, TrafficSecrets secrets) {
        BY_ENGINE.remove(engine, secrets);
    }

    /**
     * Keeps what engines tell in this thread that are not followed by their pointers; {@code null} stops that.
     *
     * @return what it was before
     */
    static TrafficSecrets current(TrafficSecrets secrets) {
        TrafficSecrets before = CURRENT.get();
        if (secrets == null) {
            CURRENT.remove();
        } else {
            CURRENT.set(secrets);
        }
        return before;
    }

    /** Returns how many engines are followed by their pointers. */
    static int followed() {
        return BY_ENGINE.size();
    }
}
