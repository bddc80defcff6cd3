package io.escrow.handover;

import io.escrow.InheritedSockets;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.connection.ConnectionRules;
import io.escrow.handover.tls.ticket.TicketContexts;
import io.netty.channel.Channel;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Holds the settings of a server, checked; see {@link ServerHandoverBuilder}. Immutable.
 *
 * @param escrow how to connect to the escrow; a copy, which nothing changes
 * @param farewells what the peers of unclaimed connections are told, by the name of the listener
 * @param discarded the names of listeners that were served by a version before, and are given up
 * @param marksDirectory where a crash-safe server makes the file for its marks
 * @param bindWarning after which time a listener that a framework does not bind is warned of
 * @param wave how long a wave may take; {@code null} if all connections move at once
 * @param tickets the contexts that share the keys of session tickets; {@code null} if there is none
 * @param rehearsal whether this process rehearses a handover
 */
record HandoverConfiguration(
        EscrowClientBuilder escrow,
        List<ListenerConfiguration> listeners,
        Map<String, byte[]> farewells,
        Set<String> discarded,
        InheritedSockets inherited,
        boolean crashSafe,
        Path marksDirectory,
        boolean bindChangedAddress,
        int firstTag,
        Duration drain,
        Duration bindWarning,
        Duration wave,
        Predicate<Channel> resumeAfterCrash,
        Consumer<Progress> onProgress,
        HandoverObserver observer,
        TicketContexts tickets,
        boolean rehearsal,
        ConnectionRules rules) {

    /** Returns whether TLS connections move. */
    boolean movesTls() {
        return rules.tls() != null;
    }

    /** Returns whether a listener may have TCP connections: its address may not be known yet. */
    boolean hasTcp() {
        return listeners.isEmpty()
                || !listeners.stream().allMatch(listener -> listener.address() instanceof DomainSocketAddress);
    }

    /** Returns a copy with the listeners, and what is said about them, of other descriptions. */
    HandoverConfiguration with(ListenerDescriptions descriptions) {
        return new HandoverConfiguration(
                escrow,
                descriptions.all(),
                descriptions.farewells(),
                descriptions.discarded(),
                inherited,
                crashSafe,
                marksDirectory,
                bindChangedAddress,
                firstTag,
                drain,
                bindWarning,
                wave,
                resumeAfterCrash,
                onProgress,
                observer,
                tickets,
                rehearsal,
                rules);
    }
}
