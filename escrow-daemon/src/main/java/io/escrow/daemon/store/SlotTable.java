package io.escrow.daemon.store;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;

/**
 * Maps indices to slots, in order. Neighbours share an array: most programs number their slots one after the other, and then a slot
 * takes a sixth of the memory that an entry of a map takes, and the next one is found at once. A slot without neighbours takes
 * more than twice as much.
 */
final class SlotTable {

    private static final int SHIFT = 4;
    private static final int NEIGHBOURS = 1 << SHIFT;

    /** The arrays by index / {@value #NEIGHBOURS}; each has a slot at least. */
    private final TreeMap<Integer, StoredSlot[]> rows = new TreeMap<>();
    /** The row that was used last; {@code null} if it is not known. */
    private StoredSlot[] row;

    private int rowNumber;
    private int size;

    /** Returns the number of slots. */
    int size() {
        return size;
    }

    /** Returns a slot; {@code null} if there is none of that index. */
    StoredSlot get(int index) {
        return find(index >> SHIFT) ? row[index & (NEIGHBOURS - 1)] : null;
    }

    /** Puts a slot, possibly in the place of another. */
    void put(int index, StoredSlot slot) {
        int number = index >> SHIFT;
        if (!find(number)) {
            row = new StoredSlot[NEIGHBOURS];
            rowNumber = number;
            rows.put(number, row);
        }
        int at = index & (NEIGHBOURS - 1);
        if (row[at] == null) {
            size++;
        }
        row[at] = slot;
    }

    /** Removes a slot, which must be there. */
    void remove(int index) {
        find(index >> SHIFT);
        row[index & (NEIGHBOURS - 1)] = null;
        size--;
        for (StoredSlot slot : row) {
            if (slot != null) {
                return;
            }
        }
        rows.remove(rowNumber);
        row = null;
    }

    /** Returns whether there is a row of that number, and makes it the row that was used last. */
    private boolean find(int number) {
        if (row == null || rowNumber != number) {
            StoredSlot[] found = rows.get(number);
            if (found == null) {
                return false;
            }
            row = found;
            rowNumber = number;
        }
        return true;
    }

    /** Returns the highest index; -1 if there is no slot. */
    int last() {
        Map.Entry<Integer, StoredSlot[]> last = rows.lastEntry();
        if (last == null) {
            return -1;
        }
        int at = NEIGHBOURS - 1;
        while (last.getValue()[at] == null) {
            at--;
        }
        return (last.getKey() << SHIFT) + at;
    }

    /** Calls a visitor with slots by ascending index: at most {@code most} of them, from index {@code from} on. */
    void visit(int from, int most, BiConsumer<Integer, StoredSlot> visitor) {
        int left = most;
        for (Map.Entry<Integer, StoredSlot[]> entry :
                rows.tailMap(from >> SHIFT).entrySet()) {
            int first = entry.getKey() << SHIFT;
            for (int at = Math.max(0, from - first); at < NEIGHBOURS; at++) {
                StoredSlot slot = entry.getValue()[at];
                if (slot != null) {
                    if (left-- == 0) {
                        return;
                    }
                    visitor.accept(first + at, slot);
                }
            }
        }
    }
}
