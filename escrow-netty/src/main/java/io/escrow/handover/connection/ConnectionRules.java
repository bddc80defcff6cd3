package io.escrow.handover.connection;

import io.escrow.handover.seal.RecordSeal;
import io.escrow.handover.tls.source.TlsSources;
import java.time.Duration;

/**
 * What a server knows about its connections.
 *
 * @param protocols the protocols that connections may speak
 * @param immovable the handlers because of which a connection can't be moved
 * @param attributes the attributes that move with a connection
 * @param readPause for how long at a time a handover may stop reading while something is under way
 * @param tls where the state of TLS connections comes from; {@code null} if they don't move
 * @param crashKeys whether the escrow gets keys of TLS connections for the case of a crash
 * @param seal what seals the state of connections
 */
public record ConnectionRules(
        ProtocolRegistry protocols,
        ImmovableHandlers immovable,
        MovedAttributes attributes,
        Duration readPause,
        TlsSources tls,
        boolean crashKeys,
        RecordSeal seal) {}
