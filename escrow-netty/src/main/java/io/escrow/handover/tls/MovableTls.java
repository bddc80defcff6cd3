package io.escrow.handover.tls;

import io.netty.handler.ssl.SslContext;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Lets the TLS connections of a server move. Given to {@code ServerHandoverBuilder.tls}, in one line:
 *
 * <pre>{@code
 * ServerHandover server = ServerHandover.with(escrow)
 *         .listen("https", serverBootstrap, address)
 *         .tls(MovableTls.of(sslContext))
 *         .start()
 *         .join();
 * }</pre>
 *
 * <p>The handshake stays what it is. The next process goes on with the keys that were agreed on, in an {@code SslHandler} that
 * takes the place of the one that its own pipeline has. Immutable; may be used by any thread, and for several servers.
 */
public final class MovableTls {

    private static final Duration LONGEST = Duration.ofDays(365);
    private static final Duration TICKET_AGE = Duration.ofHours(12);
    private static final Duration TICKET_GRACE = Duration.ofHours(24);

    private final List<SslContext> contexts;
    private final Duration ticketAge;
    private final Duration ticketGrace;
    private final boolean crashKeys;

    private MovableTls(
            Collection<? extends SslContext> contexts, Duration ticketAge, Duration ticketGrace, boolean crashKeys) {
        this.contexts = List.copyOf(contexts);
        this.ticketAge = ticketAge;
        this.ticketGrace = ticketGrace;
        this.crashKeys = crashKeys;
    }

    private MovableTls(Collection<? extends SslContext> contexts) {
        this(contexts, TICKET_AGE, TICKET_GRACE, true);
    }

    /**
     * Describes the contexts of a server.
     *
     * @param contexts those of the provider OPENSSL that are to share session tickets, and those that are chosen late, behind an {@code
     *     OptionalSslHandler} or a {@code SniHandler} whose mapping answers later: the first connection of each drains otherwise. No
     *     others need be given. Connections of the JDK's provider move if Java was started with {@code --add-opens
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

    /**
     * Sets how long keys of session tickets are used. Contexts of the provider OPENSSL issue and accept tickets, with keys that
     * the processes of the server share: clients resume their sessions after a handover, and in crash-safe mode after a
     * crash. Those that issue tickets already, with keys that the user has set, are left alone, and those of the JDK's provider, whose
     * keys can't be had. A context has keys of its own, by its place among the contexts here and by whether it asks for
     * client certificates: keep their order from version to version.
     *
     * @param current how long tickets are issued with a key; 12 hours by default
     * @param before how long they are accepted after that; 24 hours by default
     * @return a copy with these times
     * @throws IllegalArgumentException if a time is shorter than a millisecond, or longer than 365 days
     */
    public MovableTls ticketKeys(Duration current, Duration before) {
        return new MovableTls(
                contexts,
                checked("age of a ticket key", current),
                checked("time to accept a ticket key", before),
                crashKeys);
    }

    private static Duration checked(String what, Duration time) {
        if (time.compareTo(Duration.ofMillis(1)) < 0 || time.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(what + ": " + time + " (expected: 1 millisecond to 365 days)");
        }
        return time;
    }

    /**
     * Leaves the session tickets of all contexts alone.
     *
     * @return a copy that does so
     */
    public MovableTls withoutTicketKeys() {
        return new MovableTls(contexts, null, null, crashKeys);
    }

    /**
     * Has the escrow keep no keys of live connections for the case of a crash: each TLS connection of a crash-safe server then ends with
     * a reset when its process dies. By default those go on that are in the middle of nothing. Servers that are not crash-safe keep
     * none anyway.
     *
     * @return a copy that does so
     */
    public MovableTls withoutCrashKeys() {
        return new MovableTls(contexts, ticketAge, ticketGrace, false);
    }

    /**
     * Returns whether the escrow of a crash-safe server has the keys of live connections.
     *
     * @return true unless {@link #withoutCrashKeys} was called
     */
    public boolean keepsCrashKeys() {
        return crashKeys;
    }

    /**
     * Returns how long tickets are issued with a key.
     *
     * @return the time; {@code null} if keys of tickets are not shared
     */
    public Duration ticketAge() {
        return ticketAge;
    }

    /**
     * Returns how long tickets are accepted when others are issued.
     *
     * @return the time; {@code null} if keys of tickets are not shared
     */
    public Duration ticketGrace() {
        return ticketGrace;
    }
}
