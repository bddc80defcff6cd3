package io.escrow.daemon.main;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.escrow.Status;
import io.escrow.daemon.Logged;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class JsonLineEncoderTest {

    private static String written(ILoggingEvent event) {
        return new String(new JsonLineEncoder().encode(event), UTF_8);
    }

    /** Returns the one object on the one line that is written. */
    private static JsonObject parsed(Consumer<Logger> log) {
        String text = written(Logged.event(log));
        assertEquals(text.length() - 1, text.indexOf('\n'));
        return JsonParser.parseString(text).getAsJsonObject();
    }

    @Test
    void timeLevelMessageThenKeys() {
        ILoggingEvent event = Logged.event(logger -> logger.atWarn()
                .addKeyValue("status", Status.EACCES)
                .addKeyValue("path", Path.of("/run/s"))
                .addKeyValue("uid", 4294967294L)
                .addKeyValue("pid", 7)
                .addKeyValue("forced", true)
                .addKeyValue("ratio", 0.5)
                .addKeyValue("share", Double.NaN)
                .addKeyValue("none", (Object) null)
                .log("client \"{}\" refused", "x"));
        String text = written(event);

        String time = JsonParser.parseString(text).getAsJsonObject().get("time").getAsString();
        assertEquals(event.getTimeStamp(), Instant.parse(time).toEpochMilli());
        assertEquals(
                "{\"time\":\"" + time + "\",\"level\":\"WARN\",\"message\":\"client \\\"x\\\" refused\","
                        + "\"status\":\"EACCES\",\"path\":\"/run/s\",\"uid\":4294967294,\"pid\":7,\"forced\":true,"
                        + "\"ratio\":0.5,\"share\":\"NaN\",\"none\":\"null\"}\n",
                text);
    }

    @Test
    void hostileTextComesBackAsItWas() {
        JsonObject event = parsed(
                logger -> logger.atWarn().addKeyValue("path", Logged.HOSTILE).log("it said {}", Logged.HOSTILE));

        // Half a character is nothing that UTF-8 could hold.
        String expected = Logged.HOSTILE.replace("\ud800", "?");
        assertEquals(expected, event.get("path").getAsString());
        assertEquals("it said " + expected, event.get("message").getAsString());
        assertEquals(List.of("time", "level", "message", "path"), List.copyOf(event.keySet()));
    }

    @Test
    void exceptionIsOneString() {
        JsonObject event = parsed(logger -> logger.atError()
                .setCause(new IllegalStateException("first\nsecond", new IOException("\"cause\"")))
                .log("failed"));

        String exception = event.get("exception").getAsString();
        assertTrue(exception.startsWith("java.lang.IllegalStateException: first\nsecond"), exception);
        assertTrue(exception.contains("Caused by: java.io.IOException: \"cause\""), exception);
        assertTrue(exception.lines().count() > 10, exception);
    }

    @Test
    void exceptionOfWarningIsShort() {
        JsonObject event = parsed(
                logger -> logger.atWarn().setCause(new IOException("full")).log("failed"));

        List<String> exception = event.get("exception").getAsString().lines().toList();
        assertEquals("java.io.IOException: full", exception.get(0));
        assertEquals(2, exception.size(), exception::toString);
    }
}
