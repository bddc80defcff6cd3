package io.escrow.daemon.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class SlotTableTest {

    private static final int LAST = Integer.MAX_VALUE;

    private final SlotTable table = new SlotTable();

    private static StoredSlot slot() {
        return new StoredSlot(-1, new byte[0], null);
    }

    private List<Integer> visit(int from, int most) {
        List<Integer> visited = new ArrayList<>();
        table.visit(from, most, (index, slot) -> {
            assertSame(table.get(index), slot);
            visited.add(index);
        });
        return visited;
    }

    @Test
    void isEmptyAtFirst() {
        assertEquals(0, table.size());
        assertEquals(-1, table.last());
        assertNull(table.get(0));
        assertNull(table.get(LAST));
        assertEquals(List.of(), visit(0, LAST));
    }

    @Test
    void keepsTheLowestAndTheHighestIndex() {
        StoredSlot low = slot();
        StoredSlot high = slot();
        table.put(0, low);
        table.put(LAST, high);

        assertSame(low, table.get(0));
        assertSame(high, table.get(LAST));
        assertEquals(LAST, table.last());
        assertEquals(List.of(0, LAST), visit(0, LAST));
        assertEquals(List.of(LAST), visit(LAST, LAST));
    }

    @Test
    void forgetsTheRowOfTheLastSlotThatIsRemoved() {
        table.put(17, slot());
        table.remove(17);

        assertNull(table.get(17));
        assertEquals(0, table.size());
        assertEquals(-1, table.last());

        StoredSlot again = slot();
        table.put(18, again);

        assertNull(table.get(17));
        assertSame(again, table.get(18));
        assertEquals(18, table.last());
    }

    @Test
    void visitsAsManyAsAskedFor() {
        for (int index = 10; index < 50; index += 3) {
            table.put(index, slot());
        }

        assertEquals(List.of(), visit(10, 0));
        assertEquals(List.of(13, 16, 19), visit(11, 3));
        assertEquals(List.of(46, 49), visit(44, LAST));
        assertEquals(List.of(), visit(50, LAST));
    }

    @Test
    void doesTheSameAsATreeMap() {
        Random random = new Random(5);
        TreeMap<Integer, StoredSlot> model = new TreeMap<>();
        for (int step = 0; step < 20_000; step++) {
            int index = random.nextInt(200) + (random.nextInt(4) == 0 ? LAST - 199 : 0);
            if (random.nextBoolean()) {
                StoredSlot slot = slot();
                model.put(index, slot);
                table.put(index, slot);
            } else if (model.remove(index) != null) {
                table.remove(index);
            }
            int other = random.nextInt(200);
            assertSame(model.get(other), table.get(other));
            assertEquals(model.size(), table.size());
            assertEquals(model.isEmpty() ? -1 : model.lastKey(), table.last());
            if (step % 100 == 0) {
                assertEquals(List.copyOf(model.tailMap(other).keySet()), visit(other, LAST));
            }
        }
        for (Map.Entry<Integer, StoredSlot> entry : model.entrySet()) {
            assertSame(entry.getValue(), table.get(entry.getKey()));
        }
    }
}
