package io.escrow.daemon.main;

import ch.qos.logback.classic.spi.ILoggingEvent;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import org.slf4j.event.KeyValuePair;

/**
 * Encodes an event as a JSON object: time (UTC), level, message, the keys of the event, and the exception with its line
 * breaks. Unlike in logback's own JSON encoder, the keys are members of the object itself.
 */
final class JsonLineEncoder extends LineEncoder {

    private static final DateTimeFormatter TIME =
            new DateTimeFormatterBuilder().appendInstant(3).toFormatter();

    @Override
    String line(ILoggingEvent event) {
        StringWriter line = new StringWriter();
        try (JsonWriter json = new JsonWriter(line)) {
            json.beginObject();
            json.name("time").value(TIME.format(Instant.ofEpochMilli(event.getTimeStamp())));
            json.name("level").value(event.getLevel().toString());
            json.name("message").value(event.getFormattedMessage());
            if (event.getKeyValuePairs() != null) {
                for (KeyValuePair pair : event.getKeyValuePairs()) {
                    value(json.name(pair.key), pair.value);
                }
            }
            if (event.getThrowableProxy() != null) {
                json.name("exception").value(exception(event));
            }
            json.endObject();
        } catch (IOException e) {
            throw new UncheckedIOException("writing to a string failed", e);
        }
        return line.toString();
    }

    private static void value(JsonWriter json, Object value) throws IOException {
        // JSON has neither infinite numbers nor NaN.
        if (value instanceof Number number && Double.isFinite(number.doubleValue())) {
            json.value(number);
        } else if (value instanceof Boolean truth) {
            json.value(truth);
        } else {
            json.value(String.valueOf(value));
        }
    }
}
