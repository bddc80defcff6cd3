package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.handover.seal.RecordSeal;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.handover.store.EscrowTable;
import io.escrow.handover.tls.ticket.TicketContexts;
import io.escrow.handover.tls.ticket.TicketKeys;
import io.escrow.internal.Futures;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;

/**
 * Shares the keys of session tickets with the processes before and behind this one, and changes them when they are old. Their slot is filled
 * when a listener's is. May be used by any thread.
 */
final class ServerTickets {

    private static final Logger logger = HandoverLog.LOGGER;

    /** {@code null} if there is no context whose keys can be shared. */
    private final TicketContexts contexts;

    private final EscrowTable table;
    private final RecordSeal seal;
    private final boolean crashSafe;
    private final List<ChannelSlot> useless = new ArrayList<>();
    private TicketKeys keys;
    private ChannelSlot slot;
    private CompletableFuture<Void> timer;
    private boolean ended;

    ServerTickets(HandoverConfiguration configuration, EscrowTable table) {
        this.contexts = configuration.tickets();
        this.table = table;
        this.seal = configuration.rules().seal();
        this.crashSafe = configuration.crashSafe();
    }

    /** Returns whether there are keys to share. */
    boolean isShared() {
        return contexts != null;
    }

    /**
     * Takes over the keys of the process before.
     *
     * @param entry the slot in which they were found
     * @return why they are left as they are; {@code null} if they are used
     */
    synchronized String found(Entry entry, ChannelRecord record) {
        entry.close();
        if (contexts == null) {
            return "this server has no TLS context that could use them";
        }
        TicketKeys found;
        try {
            if (seal.sealer().isSealing() && !RecordSeal.isSealed(record)) {
                useless.add(table.slot(entry));
                logger.warn(
                        "not adopted: keys of session tickets that are not sealed, since this server has a seal key;"
                                + " clients with such tickets make full handshakes");
                return null;
            }
            byte[] bytes = seal.open(record, this::binding).get(ChannelRecord.TICKETS);
            if (bytes == null) {
                return "there are none in the record";
            }
            found = TicketKeys.decode(bytes);
            Arrays.fill(bytes, (byte) 0);
        } catch (EscrowException e) {
            return e.text();
        } catch (IllegalArgumentException e) {
            return e.getMessage();
        }
        ChannelSlot at = table.slot(entry);
        if (keys == null || found.madeMillis() > keys.madeMillis()) {
            if (slot != null) {
                useless.add(slot);
            }
            keys = found;
            slot = at;
        } else {
            useless.add(at);
        }
        return null;
    }

    /** What the record is sealed to: nothing else is the same in all processes. */
    private byte[] binding() {
        return ByteBuffer.allocate(Integer.BYTES).putInt(table.listenerTag()).array();
    }

    /** Begins to use the keys that were found, or new ones. Before a connection is accepted. */
    synchronized void begin() {
        if (contexts == null) {
            return;
        }
        long now = System.currentTimeMillis();
        keys = keys == null ? TicketKeys.fresh(now) : contexts.at(keys, now);
        if (slot == null) {
            slot = table.newListenerSlot();
        }
        contexts.use(keys);
        schedule(now);
        useless.forEach(ChannelSlot::free);
        if (crashSafe) {
            Futures.awaitEnd(storeOrWarn());
        }
    }

    private void schedule(long now) {
        timer = new CompletableFuture<Void>()
                .completeOnTimeout(null, contexts.leftMillis(keys, now) + 1, TimeUnit.MILLISECONDS);
        timer.thenRunAsync(this::change);
    }

    /** Changes the keys when their time has come. */
    private synchronized void change() {
        if (ended) {
            return;
        }
        long now = System.currentTimeMillis();
        TicketKeys next = contexts.at(keys, now);
        if (next != keys) {
            keys = next;
            contexts.use(keys);
            if (crashSafe) {
                storeOrWarn();
            }
        }
        schedule(now);
    }

    private CompletableFuture<Void> storeOrWarn() {
        return store().exceptionally(failure -> {
            logger.warn("the keys of session tickets are not in the escrow: {}", failure.getMessage());
            return null;
        });
    }

    /** Stores the keys for the next process. */
    synchronized CompletableFuture<Void> store() {
        if (slot == null) {
            return CompletableFuture.completedFuture(null);
        }
        ChannelRecord record = ChannelRecord.builder(ChannelRecord.TICKETS_NAME, true)
                .put(ChannelRecord.TICKETS, keys.encode())
                .build();
        try {
            return slot.store(seal.seal(record, this::binding));
        } catch (EscrowException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Takes the keys out of the escrow, if they are there. */
    synchronized CompletableFuture<Void> remove() {
        return slot == null ? CompletableFuture.completedFuture(null) : slot.remove();
    }

    /** Makes the escrow hold what it holds of a server that runs. */
    CompletableFuture<Void> settle() {
        return crashSafe ? store() : remove();
    }

    /** Overwrites the keys, and changes them no more: this process accepts no connections. */
    synchronized void end() {
        ended = true;
        if (keys != null) {
            keys.destroy();
            keys = null;
        }
        if (timer != null) {
            timer.cancel(false);
        }
    }
}
