package io.escrow.handover.tls.ticket;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.OpenSslSessionContext;
import io.netty.handler.ssl.OpenSslSessionTicketKey;
import io.netty.handler.ssl.ReferenceCountedOpenSslContext;
import io.netty.handler.ssl.SslContext;
import io.netty.internal.tcnative.SSL;
import io.netty.internal.tcnative.SSLContext;
import io.netty.util.ReferenceCountUtil;
import java.lang.reflect.Field;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import javax.net.ssl.SSLEngine;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Has contexts of the provider OPENSSL issue and accept session tickets with keys that several processes share. May be used by any thread. */
public final class TicketContexts {

    /** {@code label} is what the keys of a context are derived with: its place among all, and whom it lets in. */
    private record Context(OpenSslSessionContext sessions, String label) {}

    private static final Logger logger = LoggerFactory.getLogger(TicketContexts.class);

    /** The contexts that have got keys here, and not from the user. */
    private static final Set<SslContext> ours =
            Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

    /** Where tcnative keeps a context; {@code null} if that can't be read. */
    private static final Field CONTEXT = contextField();

    private final List<Context> contexts;
    private final Duration current;
    private final Duration before;

    private TicketContexts(List<Context> contexts, Duration current, Duration before) {
        this.contexts = List.copyOf(contexts);
        this.current = current;
        this.before = before;
    }

    /**
     * Finds those of some contexts whose keys can be shared: of servers, with the provider OPENSSL, and without keys that the user has
     * set.
     *
     * @param current how long tickets are issued with a key
     * @param before how long they are accepted after that
     */
    public static TicketContexts of(List<SslContext> all, Duration current, Duration before) {
        List<Context> contexts = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            SslContext context = all.get(i);
            if (context.isServer() && context.sessionContext() instanceof OpenSslSessionContext sessions) {
                String label = label(context, i);
                if (label != null) {
                    ours.add(context);
                    contexts.add(new Context(sessions, label));
                } else {
                    logger.info("TLS context {} issues session tickets with keys of its own, which are not shared", i);
                }
            }
        }
        return new TicketContexts(contexts, current, before);
    }

    /** Returns the label of a context; {@code null} if its keys are not ours to set. */
    private static String label(SslContext context, int index) {
        if (!ours.contains(context) && issuesTickets(context)) {
            return null;
        }
        SSLEngine engine = context.newEngine(UnpooledByteBufAllocator.DEFAULT);
        try {
            String clients = engine.getNeedClientAuth() ? "need" : engine.getWantClientAuth() ? "want" : "none";
            return index + " " + clients;
        } finally {
            ReferenceCountUtil.release(engine);
        }
    }

    /** Returns whether somebody has switched tickets on, which Netty does with the first keys; also if that is not known. */
    private static boolean issuesTickets(SslContext context) {
        try {
            return CONTEXT == null || (SSLContext.getOptions(CONTEXT.getLong(context)) & SSL.SSL_OP_NO_TICKET) == 0;
        } catch (IllegalAccessException | IllegalArgumentException e) {
            logger.debug("{} does not tell whether it issues session tickets", context, e);
            return true;
        }
    }

    private static Field contextField() {
        try {
            Field field = ReferenceCountedOpenSslContext.class.getDeclaredField("ctx");
            return field.trySetAccessible() ? field : null;
        } catch (NoSuchFieldException | LinkageError e) {
            // Without tcnative there are no such contexts.
            return null;
        }
    }

    /** Returns whether there is no context whose keys can be shared. */
    public boolean isEmpty() {
        return contexts.isEmpty();
    }

    /** Returns the secrets as they are to be at a time. */
    public TicketKeys at(TicketKeys keys, long nowMillis) {
        return keys.at(nowMillis, current, before);
    }

    /** Returns how long the current secret is still current, in milliseconds. */
    public long leftMillis(TicketKeys keys, long nowMillis) {
        return Math.min(current.toMillis(), Math.max(0, keys.madeMillis() + current.toMillis() - nowMillis));
    }

    /** Gives all contexts their keys. */
    public void use(TicketKeys keys) {
        for (Context context : contexts) {
            List<byte[]> derived = keys.derive(context.label());
            try {
                context.sessions()
                        .setTicketKeys(derived.stream()
                                .map(TicketContexts::ticketKey)
                                .toArray(OpenSslSessionTicketKey[]::new));
            } catch (RuntimeException e) {
                // The user has released the context.
                logger.debug("context {} takes no ticket keys", context.label(), e);
            } finally {
                derived.forEach(bytes -> Arrays.fill(bytes, (byte) 0));
            }
        }
    }

    private static OpenSslSessionTicketKey ticketKey(byte[] derived) {
        int hmac = OpenSslSessionTicketKey.NAME_SIZE;
        int aes = hmac + OpenSslSessionTicketKey.HMAC_KEY_SIZE;
        return new OpenSslSessionTicketKey(
                Arrays.copyOf(derived, hmac),
                Arrays.copyOfRange(derived, hmac, aes),
                Arrays.copyOfRange(derived, aes, aes + OpenSslSessionTicketKey.AES_KEY_SIZE));
    }
}
