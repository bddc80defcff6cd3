package io.escrow.handover.tls.ticket;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TicketKeysTest {

    private static final Duration CURRENT = Duration.ofHours(12);
    private static final Duration BEFORE = Duration.ofHours(24);
    private static final long HOUR = Duration.ofHours(1).toMillis();
    private static final long START = 1_795_770_000_000L;

    private static List<String> derived(TicketKeys keys, String label) {
        return keys.derive(label).stream().map(HexFormat.of()::formatHex).toList();
    }

    @Test
    void keysChangeAndAreAcceptedForAWhile() {
        TicketKeys first = TicketKeys.fresh(START);
        assertSame(first, first.at(START + 12 * HOUR - 1, CURRENT, BEFORE));

        TicketKeys second = first.at(START + 12 * HOUR, CURRENT, BEFORE);
        assertEquals(2, second.size());
        assertEquals(START + 12 * HOUR, second.madeMillis());
        assertEquals(derived(first, "x").get(0), derived(second, "x").get(1));
        assertEquals(2, second.at(START + 24 * HOUR - 1, CURRENT, BEFORE).size());

        TicketKeys fourth = second.at(START + 24 * HOUR, CURRENT, BEFORE).at(START + 36 * HOUR, CURRENT, BEFORE);
        assertEquals(3, fourth.size());
        assertFalse(derived(fourth, "x").contains(derived(first, "x").get(0)));
    }

    @Test
    void nothingIsKeptOfKeysThatAreLongOver() {
        TicketKeys later = TicketKeys.fresh(START).at(START + 1_000 * HOUR, CURRENT, BEFORE);
        assertEquals(1, later.size());
        assertEquals(START + 1_000 * HOUR, later.madeMillis());
    }

    @Test
    void aClockThatWasSetBackDoesNotKeepAKeyForEver() {
        TicketKeys future = TicketKeys.fresh(START + 1_000 * HOUR);
        assertEquals(START, future.at(START, CURRENT, BEFORE).madeMillis());
        TicketKeys nearFuture = TicketKeys.fresh(START + HOUR);
        assertSame(nearFuture, nearFuture.at(START, CURRENT, BEFORE));
    }

    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, Long.MIN_VALUE + START, -1, 0, Long.MAX_VALUE - START, Long.MAX_VALUE})
    void keysOfNoTimeAreReplacedAndForgotten(long made) {
        TicketKeys wrong = TicketKeys.decode(TicketKeys.fresh(made).encode());
        TicketKeys right = wrong.at(START, CURRENT, BEFORE);
        assertEquals(START, right.madeMillis());
        assertEquals(1, right.size());
        // As if it were now.
        assertEquals(made, wrong.at(made, CURRENT, BEFORE).madeMillis());
        assertEquals(1, wrong.at(made, CURRENT, Duration.ZERO).size());
    }

    @Test
    void aTimeThatIsJustNearEnoughCounts() {
        TicketKeys future = TicketKeys.fresh(START + 12 * HOUR);
        assertSame(future, future.at(START, CURRENT, Duration.ZERO));
        assertEquals(2, future.at(START - 1, CURRENT, BEFORE).size());
        assertEquals(1, future.at(START - 1, CURRENT, Duration.ZERO).size());
    }

    @Test
    void thereIsABoundOfHowManyAreKept() {
        TicketKeys keys = TicketKeys.fresh(START);
        for (int i = 1; i < 100; i++) {
            keys = keys.at(START + i, Duration.ofMillis(1), BEFORE);
        }
        assertEquals(TicketKeys.MAX, keys.size());
        assertEquals(START + 99, keys.madeMillis());
        assertEquals(derived(keys, "x"), derived(TicketKeys.decode(keys.encode()), "x"));
    }

    @Test
    void eachContextHasKeysOfItsOwn() {
        TicketKeys keys = TicketKeys.fresh(START);
        String one = derived(keys, "0 none").get(0);
        assertEquals(2 * TicketKeys.DERIVED_LENGTH, one.length());
        assertEquals(one, derived(keys, "0 none").get(0));
        assertFalse(one.equals(derived(keys, "0 need").get(0)));
        assertFalse(one.equals(derived(keys, "1 none").get(0)));
        assertFalse(one.equals(derived(TicketKeys.fresh(START), "0 none").get(0)));
    }

    @Test
    void theyAreStoredAsTheSpecificationSays() {
        byte[] stored = HexFormat.of()
                .parseHex("0102" + "000001a21c343efb" + "11".repeat(32) + "000001a200000000" + "22".repeat(32));
        TicketKeys keys = TicketKeys.decode(stored);
        assertEquals(2, keys.size());
        assertEquals(0x1a21c343efbL, keys.madeMillis());
        assertArrayEquals(stored, keys.encode());
        // HMAC-SHA512 of "escrow ticket key", a zero and the label, cut to 48 bytes.
        assertEquals(
                "6e00f113e8663cf3bc60fa98f1f9b7b968fdda3f23fd133acca904f8e9421e0e0fa1d92cdb4cc4e1c141977dac2d758b",
                derived(keys, "0 none").get(0));
    }

    @Test
    void whatIsNoTicketRecordIsRefused() {
        byte[] good = TicketKeys.fresh(START).encode();
        for (int length = 0; length < good.length; length++) {
            byte[] cut = Arrays.copyOf(good, length);
            assertThrows(IllegalArgumentException.class, () -> TicketKeys.decode(cut));
        }
        for (byte[] wrong : List.of(change(good, 0, 2), change(good, 1, 0), change(good, 1, 2), change(good, 1, -1))) {
            assertThrows(IllegalArgumentException.class, () -> TicketKeys.decode(wrong));
        }
        assertThrows(IllegalArgumentException.class, () -> TicketKeys.decode(Arrays.copyOf(good, good.length + 1)));
    }

    private static byte[] change(byte[] bytes, int at, int value) {
        byte[] changed = bytes.clone();
        changed[at] = (byte) value;
        return changed;
    }

    @Test
    void nothingOfThemIsPrinted() {
        assertEquals("TicketKeys{1}", TicketKeys.fresh(START).toString());
    }

    @Test
    void destroyedKeysAreOverwrittenWhereverTheyWereKept() {
        TicketKeys first = TicketKeys.fresh(0);
        TicketKeys second = first.at(Duration.ofHours(13).toMillis(), Duration.ofHours(12), Duration.ofHours(24));
        assertEquals(2, second.size());
        second.destroy();
        for (TicketKeys keys : List.of(first, second)) {
            for (byte[] derived : keys.derive("context")) {
                assertArrayEquals(TicketKeys.decode(zeros()).derive("context").get(0), derived);
            }
        }
    }

    private static byte[] zeros() {
        byte[] encoded = new byte[42];
        encoded[0] = 1;
        encoded[1] = 1;
        return encoded;
    }
}
