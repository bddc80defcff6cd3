package io.escrow.handover;

import io.escrow.SlotKey;
import io.escrow.handover.connection.AdoptedConnection;
import io.escrow.handover.store.ChannelRecord;
import io.netty.channel.Channel;

/**
 * A connection that is put together, and held.
 *
 * @param fromSlot whether its slot has what it is restored from, and not the process before
 */
record HeldConnection(AdoptedConnection connection, SlotKey slot, ChannelRecord record, boolean fromSlot) {

    /** Returns the channel of a connection that is registered. */
    Channel channel() {
        return connection.channel();
    }

    /** Returns whether another process could go on with the same keys, unless the slot is emptied first. */
    boolean hasKeysInSlot() {
        return fromSlot && record.hasKeys();
    }
}
