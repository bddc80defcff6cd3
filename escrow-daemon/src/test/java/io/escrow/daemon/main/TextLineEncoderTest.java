package io.escrow.daemon.main;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Logger;
import io.escrow.Status;
import io.escrow.daemon.Logged;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class TextLineEncoderTest {

    /** {@link Logged#HOSTILE} behind its quotes and backslash. */
    private static final String ESCAPED = "\\u000d\\u000a2026-01-01 ERROR forged\\u0009\\u0000\\u001b[2J\\u0085\\u2028"
            + "\\u202e\\ud800 \u00e9\ud83d\ude00";

    /** Returns what is written, without the time. */
    private static String written(Consumer<Logger> log) {
        String text = new String(new TextLineEncoder().encode(Logged.event(log)), UTF_8);
        assertTrue(text.matches("(?s)\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3} .*\n"), text);
        return text.substring(24);
    }

    @Test
    void messageAndKeys() {
        assertEquals(
                "WARN  client refused status=\"EACCES\" pid=\"7\"\n",
                written(logger -> logger.atWarn()
                        .addKeyValue("status", Status.EACCES)
                        .addKeyValue("pid", 7)
                        .log("client refused")));
        assertEquals("ERROR none\n", written(logger -> logger.error("none")));
    }

    @Test
    void hostileValueStaysInItsQuotes() {
        assertEquals(
                "WARN  m path=\"a\\\" b=\\\"c\\\\" + ESCAPED + "\" none=\"null\"\n",
                written(logger -> logger.atWarn()
                        .addKeyValue("path", Logged.HOSTILE)
                        .addKeyValue("none", (Object) null)
                        .log("m")));
    }

    @Test
    void hostileMessageStaysOnItsLine() {
        assertEquals(
                "WARN  it said a\" b=\"c\\" + ESCAPED + "\n",
                written(logger -> logger.warn("it said {}", Logged.HOSTILE)));
    }

    @Test
    void exceptionFollowsIndented() {
        List<String> lines = written(logger -> logger.atError()
                        .setCause(new IllegalStateException("first\nsecond", new IOException(Logged.HOSTILE)))
                        .log("failed"))
                .lines()
                .toList();

        assertEquals("ERROR failed", lines.get(0));
        assertEquals("\tjava.lang.IllegalStateException: first", lines.get(1));
        assertEquals("\tsecond", lines.get(2));
        assertTrue(lines.stream().skip(1).allMatch(line -> line.matches("\t\\P{Cntrl}+")), lines::toString);
        assertTrue(lines.stream().anyMatch(line -> line.startsWith("\tCaused by: java.io.IOException: a\"")));
    }
}
