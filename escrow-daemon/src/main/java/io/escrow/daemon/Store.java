package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.TagInfo;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;

/** Holds the slots, and owns their descriptors. Used on the daemon's event loop only. */
final class Store implements AutoCloseable {

    private final TreeMap<Integer, Slot>[] tags;
    private final long[] bytesOfTag;
    private final StoreLimits limits;
    private int slots;
    private int descriptors;
    private long bytes;

    @SuppressWarnings({"unchecked", "rawtypes"}) // arrays have no type arguments
    Store(int tags, StoreLimits limits) {
        this.tags = new TreeMap[tags];
        this.bytesOfTag = new long[tags];
        this.limits = limits;
    }

    /**
     * Fills a slot and closes what was there. Owns the descriptor of the new slot from then on, unless it throws.
     *
     * @throws EscrowException if tag or index are out of range or a limit is reached; what is held stays held
     */
    void add(int tag, int index, Slot slot) throws EscrowException {
        check(tag, index);
        Slot old = find(tag, index);
        int newSlots = slots + (old == null ? 1 : 0);
        long change = (long) slot.bytes() - (old == null ? 0 : old.bytes());
        int newDescriptors = descriptors + count(slot.descriptor()) - (old == null ? 0 : count(old.descriptor()));
        if (newSlots > limits.slots()) {
            throw full(Status.ENOSPC, slots, limits.slots(), "slots");
        }
        if (bytes + change > limits.payloadBytes()) {
            throw full(Status.ENOSPC, bytes, limits.payloadBytes(), "payload bytes");
        }
        if (newDescriptors > limits.descriptors()) {
            throw full(Status.EMFILE, descriptors, limits.descriptors(), "descriptors");
        }
        if (tags[tag] == null) {
            tags[tag] = new TreeMap<>();
        }
        tags[tag].put(index, slot);
        slots = newSlots;
        bytes += change;
        bytesOfTag[tag] += change;
        descriptors = newDescriptors;
        close(old);
    }

    /**
     * Replaces the payload of a slot, and its farewell unless that is {@code null}, and leaves its descriptor.
     *
     * @throws EscrowException if tag or index are out of range, the slot is empty, or a limit is reached
     */
    void update(int tag, int index, byte[] payload, byte[] farewell) throws EscrowException {
        Slot old = get(tag, index, "UPD");
        byte[] newFarewell = farewell == null ? old.farewell() : farewell;
        Slot slot = new Slot(old.number(), payload, newFarewell, old.keepFlags(), old.descriptor());
        long change = (long) slot.bytes() - old.bytes();
        if (bytes + change > limits.payloadBytes()) {
            throw full(Status.ENOSPC, bytes, limits.payloadBytes(), "payload bytes");
        }
        tags[tag].put(index, slot);
        bytes += change;
        bytesOfTag[tag] += change;
    }

    /**
     * Returns what a slot holds; the descriptor stays the store's.
     *
     * @throws EscrowException if tag or index are out of range, or the slot is empty
     */
    Slot get(int tag, int index) throws EscrowException {
        return get(tag, index, "GET");
    }

    /**
     * Empties a slot and closes what it held.
     *
     * @throws EscrowException if tag or index are out of range, or the slot is empty
     */
    void delete(int tag, int index) throws EscrowException {
        Slot old = get(tag, index, "DEL");
        tags[tag].remove(index);
        slots--;
        bytes -= old.bytes();
        bytesOfTag[tag] -= old.bytes();
        descriptors -= count(old.descriptor());
        close(old);
    }

    /**
     * Sums up a tag.
     *
     * @throws EscrowException if the tag is out of range
     */
    TagInfo info(int tag) throws EscrowException {
        check(tag, 0);
        TreeMap<Integer, Slot> used = tags[tag];
        if (used == null || used.isEmpty()) {
            return new TagInfo(0, 0, 0);
        }
        return new TagInfo(used.size(), used.lastKey() + 1L, bytesOfTag[tag]);
    }

    /**
     * Lists used slots by ascending index: at most {@code most} of them, from index {@code from} on.
     *
     * @throws EscrowException if tag or index are out of range
     */
    List<SlotInfo> list(int tag, int from, int most) throws EscrowException {
        check(tag, from);
        List<SlotInfo> page = new ArrayList<>();
        if (tags[tag] != null) {
            for (Map.Entry<Integer, Slot> e : tags[tag].tailMap(from).entrySet()) {
                if (page.size() == most) {
                    break;
                }
                Slot slot = e.getValue();
                page.add(new SlotInfo(tag, e.getKey(), slot.payload().length, slot.descriptor() != null));
            }
        }
        return page;
    }

    /** Returns the same slots, with a mark on those whose peer has gone. All of them are used. */
    List<SlotInfo> withPeers(List<SlotInfo> page, Peers peers) {
        Map<SlotInfo, OwnedDescriptor> connections = new LinkedHashMap<>();
        for (SlotInfo info : page) {
            if (info.hasDescriptor()) {
                connections.put(info, find(info.tag(), info.index()).descriptor());
            }
        }
        Set<OwnedDescriptor> gone = peers.gone(connections.values());
        if (gone.isEmpty()) {
            return page;
        }
        return page.stream()
                .map(i -> new SlotInfo(
                        i.tag(),
                        i.index(),
                        i.payloadSize(),
                        i.hasDescriptor(),
                        i.hasDescriptor() && gone.contains(connections.get(i))))
                .toList();
    }

    /** Returns how many tags there are. */
    int tags() {
        return tags.length;
    }

    /** Returns how many slots are used. */
    int slots() {
        return slots;
    }

    /**
     * Empties every slot and closes every descriptor.
     *
     * @param before is given each slot before its descriptor is closed
     */
    void clear(Consumer<Slot> before) {
        for (TreeMap<Integer, Slot> used : tags) {
            if (used != null) {
                used.values().forEach(slot -> {
                    before.accept(slot);
                    close(slot);
                });
                used.clear();
            }
        }
        Arrays.fill(bytesOfTag, 0);
        slots = 0;
        descriptors = 0;
        bytes = 0;
    }

    /** Closes every descriptor. */
    @Override
    public void close() {
        clear(slot -> {});
    }

    private void check(int tag, int index) throws EscrowException {
        if (tag >= tags.length) {
            throw new EscrowException(Status.EINVAL, "tag: " + tag + " (expected: 0.." + (tags.length - 1) + ")");
        }
        if (index < 0) {
            throw new EscrowException(
                    Status.EINVAL, "index: " + (index & 0xFFFFFFFFL) + " (expected: 0.." + Integer.MAX_VALUE + ")");
        }
    }

    private Slot find(int tag, int index) {
        return tags[tag] == null ? null : tags[tag].get(index);
    }

    private Slot get(int tag, int index, String request) throws EscrowException {
        check(tag, index);
        Slot slot = find(tag, index);
        if (slot == null) {
            throw new EscrowException(
                    Status.ENOENT, "Non-existent index in a " + request + " request: " + tag + "/" + index);
        }
        return slot;
    }

    private static EscrowException full(Status status, long held, long limit, String what) {
        return new EscrowException(status, String.format(Locale.ROOT, "%,d of %,d %s held", held, limit, what));
    }

    private static int count(OwnedDescriptor descriptor) {
        return descriptor == null ? 0 : 1;
    }

    private static void close(Slot slot) {
        if (slot != null && slot.descriptor() != null) {
            slot.descriptor().release();
        }
    }
}
