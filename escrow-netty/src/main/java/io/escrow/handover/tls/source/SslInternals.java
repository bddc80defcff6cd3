package io.escrow.handover.tls.source;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.AbstractCoalescingBufferQueue;
import io.netty.channel.Channel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.ssl.AbstractSniHandler;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.Serial;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/** Asks Netty's handlers of TLS for what they have no methods for: reads their private fields. Called on their event loop. */
public final class SslInternals {

    private static final byte[] NOTHING = new byte[0];
    private static final List<String> missing = new ArrayList<>();
    // Asked behind each read: as constants, they cost no more than the field itself.
    private static final MethodHandle COLLECTED = getter(find(ByteToMessageDecoder.class, "cumulation"));
    private static final MethodHandle PENDING = getter(find(SslHandler.class, "pendingUnencryptedWrites"));
    private static final Field HANDSHAKE = find(SslHandler.class, "handshakePromise");
    private static final MethodHandle HANDSHAKE_GETTER = getter(HANDSHAKE);
    private static final MethodHandle SNI_TIMEOUT = getter(find(AbstractSniHandler.class, "timeoutFuture"));

    private SslInternals() {}

    private static Field find(Class<?> type, String name) {
        try {
            Field field = type.getDeclaredField(name);
            if (field.trySetAccessible()) {
                return field;
            }
            Module own = SslInternals.class.getModule();
            missing.add("start Java with --add-opens " + type.getModule().getName() + "/" + type.getPackageName() + "="
                    + (own.isNamed() ? own.getName() : "ALL-UNNAMED"));
        } catch (NoSuchFieldException e) {
            missing.add("this version of Netty has no field " + name + " in " + type.getName());
        }
        return null;
    }

    private static MethodHandle getter(Field field) {
        try {
            return field == null
                    ? null
                    : MethodHandles.lookup()
                            .unreflectGetter(field)
                            .asType(MethodType.methodType(Object.class, Object.class));
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(field + " is accessible no more", e);
        }
    }

    /** Returns why the handlers can't be asked, and what to change; {@code null} if they can. */
    public static String whyUnknown() {
        return missing.isEmpty() ? null : "Netty's handlers of TLS can't be looked into: " + missing.get(0);
    }

    /** Returns whether an engine whose handshake was done is not in the middle of one, and closed in no direction. */
    public static boolean isOpen(SSLEngine engine) {
        HandshakeStatus status = engine.getHandshakeStatus();
        if (status == HandshakeStatus.NOT_HANDSHAKING && engine instanceof ReferenceCountedOpenSslEngine openSsl) {
            // Otherwise it would wait for the other direction's close_notify, or has been released.
            return openSsl.sslPointer() != 0;
        }
        return (status == HandshakeStatus.NOT_HANDSHAKING || status == HandshakeStatus.FINISHED)
                && !engine.isOutboundDone()
                && !engine.isInboundDone();
    }

    /** Returns a copy of the part of a record that a handler has collected. */
    public static byte[] collected(SslHandler ssl) {
        return get(COLLECTED, ssl) instanceof ByteBuf bytes ? ByteBufUtil.getBytes(bytes) : NOTHING;
    }

    /** Returns whether a handler has collected no part of a record. */
    static boolean hasCollectedNothing(SslHandler ssl) {
        return !(get(COLLECTED, ssl) instanceof ByteBuf bytes) || !bytes.isReadable();
    }

    /** Returns whether writes wait in a handler to be encrypted. */
    public static boolean hasPending(SslHandler ssl) {
        return get(PENDING, ssl) instanceof AbstractCoalescingBufferQueue queue && !queue.isEmpty();
    }

    /**
     * Takes the promise of its handshake away from a handler that is going to be removed, which would fail it.
     *
     * @return the promise; {@code null} if the handshake is done
     */
    @SuppressWarnings("unchecked") // that is the type of the field
    public static Promise<Channel> takeHandshake(SslHandler ssl, Channel channel) {
        Promise<Channel> promise = (Promise<Channel>) get(HANDSHAKE_GETTER, ssl);
        if (promise.isDone()) {
            return null;
        }
        try {
            HANDSHAKE.set(ssl, channel.eventLoop().<Channel>newPromise().setSuccess(channel));
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(HANDSHAKE + " is accessible no more", e);
        }
        return promise;
    }

    /**
     * Fails the future of the end of a handler that is going to be removed, as its removal does. That would make an exception with the whole
     * stack for each connection that moves.
     */
    @SuppressWarnings("unchecked") // that is the type of the field
    public static void endClose(SslHandler ssl) {
        if (ssl.sslCloseFuture() instanceof Promise<?> promise) {
            ((Promise<Channel>) promise).tryFailure(new RemovedException());
        }
    }

    /** Has a handler that is going to be removed not close the connection because no ClientHello comes. */
    public static void cancelTimeout(AbstractSniHandler<?> sni) {
        if (get(SNI_TIMEOUT, sni) instanceof Future<?> timeout) {
            timeout.cancel(false);
        }
    }

    /** Is what Netty says then, without a stack. */
    private static final class RemovedException extends SSLException {
        @Serial
        private static final long serialVersionUID = 1;

        RemovedException() {
            super("SslHandler removed before SSLEngine was closed");
        }

        @Override
        public Throwable fillInStackTrace() {
            return this;
        }
    }

    private static Object get(MethodHandle getter, Object handler) {
        try {
            return getter.invokeExact(handler);
        } catch (Throwable e) {
            throw new IllegalStateException("a field of " + handler + " can't be read", e);
        }
    }
}
