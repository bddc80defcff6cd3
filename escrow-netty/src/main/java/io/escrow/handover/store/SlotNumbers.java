package io.escrow.handover.store;

import java.util.Map;
import java.util.TreeMap;

/**
 * Hands out the indices of one tag: ascending ones, from 0 again after the highest, and never one that is in use. May be
 * used by any thread.
 */
final class SlotNumbers {

    private static final long END = 1L << 31;

    /** The runs in use: how many indices, by the first one. */
    private final TreeMap<Integer, Integer> used = new TreeMap<>();

    private long next;

    /** Goes on at an index, if it is further than where this is. */
    synchronized void skipTo(long index) {
        next = Math.max(next, index);
    }

    /** Returns how many indices are left before this begins at 0 again. */
    synchronized long left() {
        return END - next;
    }

    /**
     * Takes a run of indices.
     *
     * @param count how many, 1 at least
     * @return the first one
     */
    synchronized int take(int count) {
        boolean again = false;
        while (true) {
            if (next + count > END) {
                if (again) {
                    throw new IllegalStateException("no " + count + " indices in a row are free");
                }
                again = true;
                next = 0;
            }
            Map.Entry<Integer, Integer> last = used.floorEntry((int) (next + count - 1));
            long free = last == null ? 0 : (long) last.getKey() + last.getValue();
            if (free <= next) {
                int first = (int) next;
                used.put(first, count);
                next += count;
                return first;
            }
            next = free;
        }
    }

    /** Notes that a run is in use, as far as that is not known yet. */
    synchronized void reserve(int first, int count) {
        Integer key = first;
        Integer last = used.floorKey(key);
        if (last == null || (long) last + used.get(last) < (long) first + count) {
            if (count > 1) {
                used.subMap(key, true, (int) Math.min((long) first + count - 1, Integer.MAX_VALUE), true)
                        .clear();
            }
            used.put(key, count);
        }
    }

    /** Gives back the run that begins at an index. */
    synchronized void release(int first) {
        used.remove(first);
    }
}
