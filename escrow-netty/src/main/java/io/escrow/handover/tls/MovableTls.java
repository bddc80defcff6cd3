package io.escrow.handover.tls;

import io.netty.handler.ssl.SslContext;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Lets the TLS connections of a server move. Given to {@code ServerHandoverBuilder.tls}, in one line:
 *
 * <pre>{@code
 * .tls(MovableTls.of(sslContext))
 * }</pre>
 *
 * <p>The handshake stays what it is. The next process goes on with the keys that were agreed on, in an {@code SslHandler} that
 * takes the place of the one that its own pipeline has. Immutable; may be used by any thread, and for several servers.
 */
public final class MovableTls {

    private final List<SslContext> contexts;

    private MovableTls(Collection<? extends SslContext> contexts) {
        this.contexts = List.copyOf(contexts);
    }

    /**
     * Describes the contexts of a server.
     *
     * @param contexts all contexts whose connections are to move, those behind a {@code SniHandler} included. Those of the
     *     JDK's provider need not be given: their connections move if Java was started with {@code --add-opens
     *     java.base/sun.security.ssl=ALL-UNNAMED}
     * @return what to give to the builder
     */
    public static MovableTls of(SslContext... contexts) {
        return new MovableTls(List.of(contexts));
    }

    /**
     * Describes the contexts of a server.
     *
     * @param contexts as for {@link #of(SslContext...)}
     * @return what to give to the builder
     */
    public static MovableTls of(Iterable<? extends SslContext> contexts) {
        List<SslContext> all = new ArrayList<>();
        contexts.forEach(all::add);
        return new MovableTls(all);
    }

    /**
     * Returns the contexts.
     *
     * @return those that were given, in their order
     */
    public List<SslContext> contexts() {
        return contexts;
    }
}
