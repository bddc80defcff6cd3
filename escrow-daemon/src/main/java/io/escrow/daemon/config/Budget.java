package io.escrow.daemon.config;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import io.escrow.daemon.kernel.OpenFiles;
import java.util.Locale;

/**
 * Computes how much a daemon may hold, so that clients can use up neither the descriptors of its process nor its
 * memory.
 *
 * @param openFiles how many descriptors the process may have open
 * @param heap the largest Java heap, in bytes
 */
record Budget(long openFiles, long heap) {

    /** Descriptors that a daemon needs for itself: its jars, its sockets, its log. */
    private static final int OWN_DESCRIPTORS = 64;

    /** Memory that a daemon needs for itself, in bytes: data of its classes, its log. */
    private static final long OWN_HEAP = 16L << 20;

    /**
     * Memory that a slot needs besides its payload, in bytes: its entries in the store, its objects, the header of the
     * array.
     */
    private static final int SLOT_BYTES = 256;

    private static final int TAG_BYTES = 64;

    /** A larger payload may need up to twice its size: G1 gives it whole regions (JEP 387). */
    private static final int LARGE_PAYLOAD = 256 * 1024;

    /** Copies of a packet in memory: received, decoded, answered. */
    private static final int PACKETS = 4;

    private static final int MOST_SLOTS = 1_000_000;

    static Budget ofThisProcess() throws EscrowException {
        return new Budget(OpenFiles.allowedNow(), Runtime.getRuntime().maxMemory());
    }

    /** Returns the default for the most descriptors in a packet: fewer when the process may open few files. */
    int packetDescriptors() {
        long quarter = (openFiles - OWN_DESCRIPTORS) / 4;
        return (int) Math.max(1, Math.min(quarter, Limits.DEFAULT.packetDescriptors()));
    }

    /**
     * Returns the most descriptors that the daemon may hold: as many as the process may open, less those that the
     * daemon needs itself, those of a packet that is being received, and those of a packet whose answers are not sent
     * yet.
     *
     * @throws EscrowException if no descriptor is left
     */
    int descriptors(int packetDescriptors) throws EscrowException {
        long left = openFiles - reserve(packetDescriptors);
        if (left <= 0) {
            throw new EscrowException(
                    Status.EMFILE,
                    "open files allowed: " + openFiles + " (expected: > " + reserve(packetDescriptors)
                            + "; see ulimit -n)");
        }
        return (int) Math.min(left, Integer.MAX_VALUE);
    }

    private static long reserve(int packetDescriptors) {
        return OWN_DESCRIPTORS + 2L * packetDescriptors;
    }

    /** Returns the default for the most slots: those that fit into an eighth of the memory. */
    int slots() {
        return (int) Math.min(MOST_SLOTS, forSlots() / 8 / SLOT_BYTES);
    }

    /**
     * Returns the default for the largest sum of payloads: half of the memory, or a quarter if payloads may be large.
     */
    long payloadBytes(int payload) {
        return forSlots() / 2 / share(payload);
    }

    private long forSlots() {
        return Math.max(0, heap - OWN_HEAP);
    }

    private static int share(int payload) {
        return payload > LARGE_PAYLOAD ? 2 : 1;
    }

    /**
     * Checks that given limits fit into this process.
     *
     * @throws EscrowException if clients could store more than fits
     */
    void check(Limits limits, StoreLimits store) throws EscrowException {
        checkDescriptors(limits, store);
        long needed = (long) limits.tags() * TAG_BYTES
                + (long) store.slots() * SLOT_BYTES
                + store.payloadBytes() * share(limits.payload())
                + (long) Math.max(0, limits.packetBytes() - Limits.DEFAULT.packetBytes()) * PACKETS;
        long allowed = forSlots() * 3 / 4;
        if (needed > allowed || needed < 0) {
            throw new EscrowException(
                    Status.EINVAL,
                    String.format(
                            Locale.ROOT,
                            "%,d slots with %,d payload bytes, and packets of %,d bytes, take %,d bytes of memory"
                                    + " (expected: <= %,d, with a heap of %,d; see java -Xmx)",
                            store.slots(),
                            store.payloadBytes(),
                            limits.packetBytes(),
                            needed,
                            allowed,
                            heap));
        }
    }

    /** Checks the limit of descriptors only. */
    void checkDescriptors(Limits limits, StoreLimits store) throws EscrowException {
        int most = descriptors(limits.packetDescriptors());
        if (store.descriptors() > most) {
            throw new EscrowException(
                    Status.EMFILE,
                    "descriptors: " + store.descriptors() + " (expected: <= " + most + ": of " + openFiles
                            + " open files allowed, " + reserve(limits.packetDescriptors())
                            + " are kept in reserve; see ulimit -n)");
        }
    }
}
