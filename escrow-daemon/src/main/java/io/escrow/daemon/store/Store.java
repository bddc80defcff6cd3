package io.escrow.daemon.store;

import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.kernel.HangupDetector;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** Holds the slots, and owns their descriptors. Used on the daemon's event loop only. */
public final class Store implements AutoCloseable {

    /** The used slots of a tag. */
    private static final class TagSlots {
        final SlotTable slots = new SlotTable();
        int descriptors;
        long bytes;
    }

    private final TagSlots[] tags;
    private final StoreLimits limits;
    private int slots;
    private int descriptors;
    private long bytes;
    private long fillings;
    private StoreListener listener = StoreListener.NONE;

    public Store(int tags, StoreLimits limits) {
        this.tags = new TagSlots[tags];
        this.limits = limits;
    }

    /**
     * Fills a slot and closes its previous descriptor. The store owns the descriptor of the new slot from then on,
     * unless this method throws. A slot without a number of its filling gets the next one.
     *
     * @throws EscrowException if tag or index are out of range or a limit is reached; then nothing changes
     */
    public void add(int tag, int index, StoredSlot slot) throws EscrowException {
        put(tag, index, slot.filling() == 0 ? slot.filled(nextFilling()) : slot);
    }

    /** Returns the number of the next filling. Who makes a slot with it spares the store a copy of the slot. */
    public long nextFilling() {
        return fillings + 1;
    }

    /**
     * Fills a slot as another daemon has filled it: with the same number of its filling.
     *
     * @throws EscrowException as {@link #add} does
     */
    public void restore(int tag, int index, StoredSlot slot) throws EscrowException {
        put(tag, index, slot);
    }

    private void put(int tag, int index, StoredSlot slot) throws EscrowException {
        check(tag, index);
        StoredSlot old = find(tag, index);
        int newSlots = slots + (old == null ? 1 : 0);
        long change = (long) slot.bytes() - (old == null ? 0 : old.bytes());
        int moreDescriptors = count(slot.descriptor()) - (old == null ? 0 : count(old.descriptor()));
        if (newSlots > limits.slots()) {
            throw full(Status.ENOSPC, slots, limits.slots(), "slots");
        }
        if (bytes + change > limits.payloadBytes()) {
            throw full(Status.ENOSPC, bytes, limits.payloadBytes(), "payload bytes");
        }
        if (descriptors + moreDescriptors > limits.descriptors()) {
            throw full(Status.EMFILE, descriptors, limits.descriptors(), "descriptors");
        }
        if (tags[tag] == null) {
            tags[tag] = new TagSlots();
        }
        tags[tag].slots.put(index, slot);
        fillings = Math.max(fillings, slot.filling());
        slots = newSlots;
        count(tag, change, moreDescriptors);
        listener.filled(tag, index, slot);
        close(old);
    }

    /**
     * Replaces the payload of a slot, and its farewell unless the new one is {@code null}. The descriptor stays.
     *
     * @throws EscrowException if tag or index are out of range, the slot is empty, or a limit is reached
     */
    public void update(int tag, int index, byte[] payload, byte[] farewell) throws EscrowException {
        StoredSlot old = get(tag, index, "UPD");
        byte[] newFarewell = farewell == null ? old.farewell() : farewell;
        StoredSlot slot = old.with(payload, newFarewell);
        long change = (long) slot.bytes() - old.bytes();
        if (bytes + change > limits.payloadBytes()) {
            throw full(Status.ENOSPC, bytes, limits.payloadBytes(), "payload bytes");
        }
        tags[tag].slots.put(index, slot);
        count(tag, change, 0);
        listener.updated(tag, index, slot);
    }

    /**
     * Returns the contents of a slot. The store still owns the descriptor.
     *
     * @throws EscrowException if tag or index are out of range, or the slot is empty
     */
    public StoredSlot get(int tag, int index) throws EscrowException {
        return get(tag, index, "GET");
    }

    /**
     * Empties a slot and closes its descriptor.
     *
     * @throws EscrowException if tag or index are out of range, or the slot is empty
     */
    public void delete(int tag, int index) throws EscrowException {
        StoredSlot old = get(tag, index, "DEL");
        tags[tag].slots.remove(index);
        slots--;
        count(tag, -old.bytes(), -count(old.descriptor()));
        listener.emptied(tag, index);
        close(old);
    }

    /**
     * Returns the totals of a tag.
     *
     * @throws EscrowException if the tag is out of range
     */
    public TagInfo info(int tag) throws EscrowException {
        check(tag, 0);
        TagSlots used = tags[tag];
        return used == null ? new TagInfo(0, 0, 0) : new TagInfo(used.slots.size(), used.slots.last() + 1L, used.bytes);
    }

    /**
     * Lists used slots by ascending index: at most {@code most} of them, from index {@code from} on.
     *
     * @throws EscrowException if tag or index are out of range
     */
    public List<SlotInfo> list(int tag, int from, int most) throws EscrowException {
        List<SlotInfo> page = new ArrayList<>();
        visit(
                tag,
                from,
                most,
                (index, slot) -> page.add(new SlotInfo(tag, index, slot.payload().length, slot.descriptor() != null)));
        return page;
    }

    /**
     * Calls a visitor with used slots by ascending index: at most {@code most} of them, from index {@code from} on. The
     * store still owns the descriptors.
     *
     * @throws EscrowException if tag or index are out of range
     */
    public void visit(int tag, int from, int most, BiConsumer<Integer, StoredSlot> visitor) throws EscrowException {
        check(tag, from);
        if (tags[tag] != null) {
            tags[tag].slots.visit(from, most, visitor);
        }
    }

    /** Returns the same slots, and marks those whose peer has gone. All of them must be used. */
    public List<SlotInfo> markHungUp(List<SlotInfo> page, HangupDetector hangups) {
        Map<SlotInfo, OwnedDescriptor> connections = new LinkedHashMap<>();
        for (SlotInfo info : page) {
            if (info.hasDescriptor()) {
                connections.put(info, find(info.tag(), info.index()).descriptor());
            }
        }
        Set<OwnedDescriptor> gone = hangups.gone(connections.values());
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

    /** Returns the number of tags. */
    public int tags() {
        return tags.length;
    }

    /** Returns the number of used slots. */
    public int slots() {
        return slots;
    }

    /** Returns the number of descriptors in slots. */
    public int descriptors() {
        return descriptors;
    }

    /** Returns the number of used slots of a tag. */
    public int slots(int tag) {
        return tags[tag] == null ? 0 : tags[tag].slots.size();
    }

    /** Returns the number of descriptors in the slots of a tag. */
    public int descriptors(int tag) {
        return tags[tag] == null ? 0 : tags[tag].descriptors;
    }

    /** Returns the sum of all payloads and farewells, in bytes. */
    public long bytes() {
        return bytes;
    }

    /** Returns the sum of the payloads and farewells of a tag, in bytes. */
    public long bytes(int tag) {
        return tags[tag] == null ? 0 : tags[tag].bytes;
    }

    /**
     * Empties every slot and closes every descriptor.
     *
     * @param before called with each slot before its descriptor is closed
     */
    void clear(Consumer<StoredSlot> before) {
        for (TagSlots used : tags) {
            if (used != null) {
                used.slots.visit(0, Integer.MAX_VALUE, (index, slot) -> {
                    before.accept(slot);
                    close(slot);
                });
            }
        }
        Arrays.fill(tags, null);
        slots = 0;
        descriptors = 0;
        bytes = 0;
        listener.cleared();
    }

    /** Empties every slot without a farewell, and closes every descriptor. */
    public void clear() {
        clear(slot -> {});
    }

    /** Returns whether a slot is used. */
    public boolean isUsed(int tag, int index) {
        return tag < tags.length && find(tag, index) != null;
    }

    /** Sets who is told of each change; {@link StoreListener#NONE} for nobody. */
    public void listener(StoreListener told) {
        listener = told;
    }

    /** Closes every descriptor. */
    @Override
    public void close() {
        listener = StoreListener.NONE;
        clear();
    }

    private void check(int tag, int index) throws EscrowException {
        if (tag >= tags.length) {
            throw new EscrowException(Status.EINVAL, "tag: " + tag + " (expected: 0.." + (tags.length - 1) + ")");
        }
        if (index < 0) {
            throw new EscrowException(Status.EINVAL, "index: " + index + " (expected: 0.." + Integer.MAX_VALUE + ")");
        }
    }

    private StoredSlot find(int tag, int index) {
        return tags[tag] == null ? null : tags[tag].slots.get(index);
    }

    private StoredSlot get(int tag, int index, String request) throws EscrowException {
        check(tag, index);
        StoredSlot slot = find(tag, index);
        if (slot == null) {
            throw new EscrowException(
                    Status.ENOENT, "Non-existent index in a " + request + " request: " + tag + "/" + index);
        }
        return slot;
    }

    private static EscrowException full(Status status, long held, long limit, String what) {
        return new EscrowException(status, String.format(Locale.ROOT, "%,d of %,d %s held", held, limit, what));
    }

    private void count(int tag, long moreBytes, int moreDescriptors) {
        bytes += moreBytes;
        tags[tag].bytes += moreBytes;
        descriptors += moreDescriptors;
        tags[tag].descriptors += moreDescriptors;
    }

    private static int count(OwnedDescriptor descriptor) {
        return descriptor == null ? 0 : 1;
    }

    private static void close(StoredSlot slot) {
        if (slot != null && slot.descriptor() != null) {
            slot.descriptor().release();
        }
    }
}
