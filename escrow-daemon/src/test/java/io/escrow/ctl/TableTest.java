package io.escrow.ctl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class TableTest {

    @Test
    void putsNumbersToTheRightAndTheRestToTheLeft() {
        Table table = new Table("NAME", "N", "ADDRESS", "LAST");
        table.add("a", 5, "127.0.0.1:80", "x");
        table.add("long name", "1,234.5", null, null);

        assertEquals(
                List.of(
                        "NAME             N  ADDRESS       LAST",
                        "a                5  127.0.0.1:80  x",
                        "long name  1,234.5  -             -"),
                table.lines());
    }

    @Test
    void printsItsNamesWhenItIsEmpty() {
        assertEquals(List.of("A  LONGER  B"), new Table("A", "LONGER", "B").lines());
    }

    /** What clients store may name itself as it likes. */
    @Test
    void keepsRowInItsLine() {
        Table table = new Table("A", "B");
        table.add("x\ny", "\u001b[31m");

        assertEquals(List.of("A    B", "x?y  ?[31m"), table.lines());
    }
}
