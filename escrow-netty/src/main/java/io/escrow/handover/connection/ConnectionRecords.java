package io.escrow.handover.connection;

import io.escrow.EscrowException;
import io.escrow.handover.store.ChannelRecord;

/** Makes the records of a connection, as the escrow or the next process is to have them. Lives on the channel's event loop. */
final class ConnectionRecords {

    private final String listener;
    private final ConnectionRules rules;
    private final ConnectionParts parts;
    private final CrashRecord crash;
    private byte[] cookie;

    /**
     * Makes the records of a connection.
     *
     * @param listener the name of the listener that it came from
     * @param escrowed what the escrow has from the beginning
     */
    ConnectionRecords(String listener, ConnectionRules rules, ConnectionParts parts, ChannelRecord escrowed) {
        this.listener = listener;
        this.rules = rules;
        this.parts = parts;
        this.crash = new CrashRecord(escrowed);
    }

    /** Returns why the connection can't be moved at all; {@code null} if it can. */
    String whyImmovable() {
        return parts.saver().whyImmovable(rules.immovable());
    }

    /** Returns why no other process can go on with the connection after a crash; {@code null} if one can. */
    private String whyLostInCrash() {
        boolean keysAreLost = parts.tls() != null && parts.keys() == null;
        String reason = keysAreLost ? ChannelRecord.TLS_NOT_RESUMED : whyImmovable();
        return reason == null ? whyProtocolIsLost() : reason;
    }

    private String whyProtocolIsLost() {
        return parts.gate() == null ? null : parts.gate().whyLostInCrash();
    }

    /**
     * Returns what the escrow is to have from now on, because the connection can't be moved any more, or can be moved again; {@code
     * null} if the escrow has that already.
     */
    ChannelRecord changed() {
        ChannelRecord changed = crash.change(whyLostInCrash(), parts.keys());
        return changed == null ? null : sealed(changed);
    }

    /** Returns whether the escrow knows, or is about to be told, that the connection can't go on after a crash. */
    boolean isLost() {
        return crash.isLost();
    }

    /** Returns what the escrow is to know about the connection after a crash, as it is now. */
    ChannelRecord checkpoint() {
        return sealed(crash.renew(
                parts.saver().checkpoint(listener), whyLostInCrash(), whyProtocolIsLost() == null, parts.keys()));
    }

    /**
     * Returns what the escrow is to know about a connection that goes on from a record; not sealed.
     *
     * @param adopted the record, without bytes of the stream
     */
    ChannelRecord adopted(ChannelRecord adopted) {
        String reason = whyProtocolIsLost();
        return reason == null
                ? adopted
                : crash.renew(ChannelRecord.builder(listener, false).build(), reason, false, parts.keys());
    }

    /** Takes a connection that is at rest apart, see {@link ConnectionSaver#takeApart}. */
    ChannelRecord takeApart(DeferredEvents deferred, byte[] farewell) {
        return sealed(parts.saver().takeApart(listener, parts.rest().reachedMillis(), deferred, farewell));
    }

    /** Returns a record of the connection as others are to have it. */
    ChannelRecord sealed(ChannelRecord record) {
        try {
            return rules.seal().seal(record, this::cookie);
        } catch (EscrowException e) {
            throw new IllegalStateException(e.text(), e);
        }
    }

    private byte[] cookie() throws EscrowException {
        if (cookie == null) {
            cookie = SocketCookie.of(parts.context().channel());
        }
        return cookie;
    }

    /** Notes what the state of the connection is sealed to. Before its channel has an event loop. */
    void cookie(byte[] known) {
        cookie = known;
    }
}
