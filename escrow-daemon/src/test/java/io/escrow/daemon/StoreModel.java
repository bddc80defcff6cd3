package io.escrow.daemon;

import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.daemon.config.StoreLimits;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;

/** Says what a daemon must answer, from a plain map of what was put into it. */
final class StoreModel {

    /** What a slot holds; {@code file} is -1 without a descriptor. */
    record SlotContent(int number, String payload, String farewell, int file) {
        static SlotContent of(int number, byte[] payload, byte[] farewell, int file) {
            return new SlotContent(number, hex(payload), hex(farewell), file);
        }

        private static String hex(byte[] bytes) {
            return HexFormat.of().formatHex(bytes);
        }

        /** Returns what takes the place of the payload, and of the farewell unless that is {@code null}. */
        SlotContent updated(byte[] newPayload, byte[] newFarewell) {
            return new SlotContent(number, hex(newPayload), newFarewell == null ? farewell : hex(newFarewell), file);
        }

        int payloadBytes() {
            return payload.length() / 2;
        }

        int farewellBytes() {
            return farewell.length() / 2;
        }

        int bytes() {
            return payloadBytes() + farewellBytes();
        }

        int descriptors() {
            return file < 0 ? 0 : 1;
        }
    }

    /** What became of a slot; {@code held} is {@code null} if it was emptied. */
    record Change(SlotKey key, SlotContent held) {}

    private static final SlotContent NOTHING = new SlotContent(-1, "", "", -1);

    private final Limits limits;
    private final StoreLimits storeLimits;
    private final Map<Integer, TreeMap<Integer, SlotContent>> tags = new TreeMap<>();
    private final List<Change> changes = new ArrayList<>();
    private int slots;
    private int descriptors;
    private long bytes;

    StoreModel(Limits limits, StoreLimits storeLimits) {
        this.limits = limits;
        this.storeLimits = storeLimits;
    }

    StoreModel copy() {
        StoreModel copy = new StoreModel(limits, storeLimits);
        copy.become(this);
        return copy;
    }

    // Requests: each returns what may be answered, and is carried out if that is OK.

    Set<Status> add(SlotKey key, SlotContent held) {
        return put(key, held, checkKey(key));
    }

    /** Expects an addition with a descriptor that is closed, and can't be sent. */
    Set<Status> addClosed(SlotKey key, SlotContent held) {
        Set<Status> wrong = checkSizes(held, checkKey(key));
        wrong.add(Status.EBADF);
        return wrong;
    }

    Set<Status> update(SlotKey key, byte[] payload, byte[] farewell) {
        SlotContent old = get(key);
        SlotContent updated = (old == null ? NOTHING : old).updated(payload, farewell);
        return put(key, updated, checkFilled(key));
    }

    private Set<Status> put(SlotKey key, SlotContent held, Set<Status> wrong) {
        checkSizes(held, wrong);
        if (wrong.isEmpty()) {
            wrong.addAll(exceededBy(held, get(key)));
        }
        return carryOut(wrong, key, held);
    }

    Set<Status> delete(SlotKey key) {
        return carryOut(checkFilled(key), key, null);
    }

    private Set<Status> carryOut(Set<Status> wrong, SlotKey key, SlotContent held) {
        if (wrong.isEmpty()) {
            set(key, held);
        }
        return orOk(wrong);
    }

    Set<Status> get(SlotKey key, Consumer<SlotContent> found) {
        Set<Status> wrong = checkFilled(key);
        if (wrong.isEmpty()) {
            found.accept(get(key));
        }
        return orOk(wrong);
    }

    Set<Status> tag(int tag) {
        return orOk(checkTag(tag));
    }

    private static Set<Status> orOk(Set<Status> wrong) {
        if (wrong.isEmpty()) {
            wrong.add(Status.OK);
        }
        return wrong;
    }

    private Set<Status> checkTag(int tag) {
        Set<Status> wrong = EnumSet.noneOf(Status.class);
        if (tag < 0 || tag >= limits.tags()) {
            wrong.add(Status.EINVAL);
        }
        return wrong;
    }

    private Set<Status> checkKey(SlotKey key) {
        Set<Status> wrong = checkTag(key.tag());
        if (key.index() < 0) {
            wrong.add(Status.EINVAL);
        }
        return wrong;
    }

    private Set<Status> checkFilled(SlotKey key) {
        Set<Status> wrong = checkKey(key);
        if (wrong.isEmpty() && get(key) == null) {
            wrong.add(Status.ENOENT);
        }
        return wrong;
    }

    private Set<Status> checkSizes(SlotContent held, Set<Status> wrong) {
        if (held.payloadBytes() > limits.payload() || held.farewellBytes() > limits.farewell()) {
            wrong.add(Status.EMSGSIZE);
        }
        return wrong;
    }

    private Set<Status> exceededBy(SlotContent held, SlotContent old) {
        Set<Status> exceeded = EnumSet.noneOf(Status.class);
        if (slots + (old == null ? 1 : 0) > storeLimits.slots()
                || bytes + held.bytes() - (old == null ? 0 : old.bytes()) > storeLimits.payloadBytes()) {
            exceeded.add(Status.ENOSPC);
        }
        if (descriptors + held.descriptors() - (old == null ? 0 : old.descriptors()) > storeLimits.descriptors()) {
            exceeded.add(Status.EMFILE);
        }
        return exceeded;
    }

    // State

    /** Fills or empties a slot, without asking whether that may be done. */
    void set(SlotKey key, SlotContent held) {
        TreeMap<Integer, SlotContent> used = tags.computeIfAbsent(key.tag(), t -> new TreeMap<>());
        SlotContent old = held == null ? used.remove(key.index()) : used.put(key.index(), held);
        if (used.isEmpty()) {
            tags.remove(key.tag());
        }
        count(held, 1);
        count(old, -1);
        changes.add(new Change(key, held));
    }

    private void count(SlotContent held, int sign) {
        if (held != null) {
            slots += sign;
            bytes += (long) sign * held.bytes();
            descriptors += sign * held.descriptors();
        }
    }

    void clear() {
        keys().forEach(key -> set(key, null));
    }

    void become(StoreModel other) {
        clear();
        other.tags.forEach((tag, used) -> used.forEach((index, held) -> set(new SlotKey(tag, index), held)));
    }

    /** Returns what was done since the last call. */
    List<Change> takeChanges() {
        List<Change> taken = List.copyOf(changes);
        changes.clear();
        return taken;
    }

    int changes() {
        return changes.size();
    }

    int descriptors() {
        return descriptors;
    }

    TagInfo info(int tag) {
        NavigableMap<Integer, SlotContent> used = used(tag);
        long sum = used.values().stream().mapToLong(SlotContent::bytes).sum();
        return new TagInfo(used.size(), used.isEmpty() ? 0 : used.lastKey() + 1L, sum);
    }

    List<SlotInfo> list(int tag) {
        return used(tag).entrySet().stream()
                .map(e -> new SlotInfo(
                        tag,
                        e.getKey(),
                        e.getValue().payloadBytes(),
                        e.getValue().file() >= 0))
                .toList();
    }

    private List<SlotKey> keys() {
        return tags.keySet().stream()
                .flatMap(tag -> list(tag).stream().map(SlotInfo::key))
                .toList();
    }

    private SlotContent get(SlotKey key) {
        return used(key.tag()).get(key.index());
    }

    private NavigableMap<Integer, SlotContent> used(int tag) {
        return tags.getOrDefault(tag, new TreeMap<>());
    }

    /** Tells whether two models hold the same. */
    boolean isSame(StoreModel other) {
        return tags.equals(other.tags);
    }

    @Override
    public String toString() {
        return tags.toString();
    }
}
