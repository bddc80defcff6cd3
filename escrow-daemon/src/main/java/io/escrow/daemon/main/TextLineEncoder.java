package io.escrow.daemon.main;

import ch.qos.logback.classic.spi.ILoggingEvent;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import org.slf4j.event.KeyValuePair;

/**
 * Encodes an event as {@code TIME LEVEL message key="value" ...}. The exception follows on lines that begin with a tab,
 * which no other line does. Characters that could end a line or change its display are escaped, because clients can
 * choose some of the logged text.
 */
final class TextLineEncoder extends LineEncoder {

    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS", Locale.ROOT)
            .withZone(ZoneId.systemDefault());

    @Override
    String line(ILoggingEvent event) {
        StringBuilder line = new StringBuilder(TIME.format(Instant.ofEpochMilli(event.getTimeStamp())))
                .append(String.format(" %-5s ", event.getLevel()))
                .append(escape(String.valueOf(event.getFormattedMessage())));
        if (event.getKeyValuePairs() != null) {
            for (KeyValuePair pair : event.getKeyValuePairs()) {
                line.append(' ').append(pair.key).append("=\"");
                line.append(
                        escape(String.valueOf(pair.value).replace("\\", "\\\\").replace("\"", "\\\"")));
                line.append('"');
            }
        }
        exception(event).lines().forEach(below -> line.append("\n\t").append(escape(below.strip())));
        return line.toString();
    }

    private static String escape(String text) {
        StringBuilder escaped = new StringBuilder();
        text.codePoints().forEach(c -> {
            switch (Character.getType(c)) {
                case Character.CONTROL,
                        Character.FORMAT,
                        Character.LINE_SEPARATOR,
                        Character.PARAGRAPH_SEPARATOR,
                        Character.SURROGATE -> escaped.append(String.format("\\u%04x", c));
                default -> escaped.appendCodePoint(c);
            }
        });
        return escaped.toString();
    }
}
