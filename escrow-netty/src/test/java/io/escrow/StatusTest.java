package io.escrow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class StatusTest {

    /** As in {@code errno(3)} on Linux, and in PROTOCOL.md. */
    @ParameterizedTest
    @CsvSource({"OK,0", "ENOENT,2", "EBADF,9", "EINVAL,22", "EMFILE,24", "ENOSPC,28", "EPROTO,71", "EMSGSIZE,90"})
    void isNumberedAsOnTheWire(Status status, int errno) {
        assertEquals(errno, status.errno());
    }

    @ParameterizedTest
    @EnumSource
    void isFoundByItsNumber(Status status) {
        assertEquals(status, Status.of(status.errno()));
    }

    @ParameterizedTest
    @ValueSource(ints = {-2, 1, 4095, Integer.MIN_VALUE})
    void takesUnknownNumberForProtocolError(int errno) {
        assertEquals(Status.EPROTO, Status.ofWire(errno));
    }

    @ParameterizedTest
    @EnumSource(names = {"EIO", "ENAMETOOLONG", "EADDRINUSE", "ECONNRESET", "ECONNREFUSED"})
    void takesNumberThatNeverComesOverTheWireForProtocolError(Status local) {
        assertEquals(Status.EPROTO, Status.ofWire(local.errno()));
    }

    @Test
    void takesErrorWithoutStatusForInputOutputError() {
        assertEquals(Status.EIO, Status.of(4));
    }

    @Test
    void isOnWireIfTheFirstTableOfTheProtocolHasIt() throws IOException {
        String section = Files.readString(Path.of("PROTOCOL.md"))
                .split("\n## Status codes\n", 2)[1]
                .split("\n## ", 2)[0];
        String[] tables = section.split("never come over the wire:\n", 2);

        assertEquals(table(Status::isOnWire), rows(tables[0]));
        assertEquals(table(status -> !status.isOnWire()), rows(tables[1]));
    }

    private static List<String> table(Predicate<Status> kind) {
        return Arrays.stream(Status.values())
                .filter(kind)
                .map(status -> status + " " + status.errno())
                .toList();
    }

    private static List<String> rows(String table) {
        return Pattern.compile("(?m)^\\| `([A-Z]+)` \\| ([0-9]+) \\|")
                .matcher(table)
                .results()
                .map(row -> row.group(1) + " " + row.group(2))
                .toList();
    }

    @Test
    void hasNoNumberTwice() {
        assertEquals(
                Status.values().length,
                Arrays.stream(Status.values())
                        .mapToInt(Status::errno)
                        .distinct()
                        .count());
    }
}
