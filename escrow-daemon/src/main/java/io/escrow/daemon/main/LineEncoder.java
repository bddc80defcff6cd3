package io.escrow.daemon.main;

import static java.nio.charset.StandardCharsets.UTF_8;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.pattern.ThrowableProxyConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.encoder.EncoderBase;
import java.util.List;

/** Encodes each event of the log as a line. */
abstract class LineEncoder extends EncoderBase<ILoggingEvent> {

    private final ThrowableProxyConverter brief = converter("short");
    private final ThrowableProxyConverter whole = converter("full");

    private static ThrowableProxyConverter converter(String option) {
        ThrowableProxyConverter converter = new ThrowableProxyConverter();
        converter.setOptionList(List.of(option));
        converter.start();
        return converter;
    }

    /**
     * Returns the exception of an event in lines of its own, with stack trace only if the event is an error; empty if
     * there is none.
     */
    final String exception(ILoggingEvent event) {
        return (event.getLevel() == Level.ERROR ? whole : brief).convert(event).strip();
    }

    /** Returns the line without a line end. */
    abstract String line(ILoggingEvent event);

    @Override
    public final byte[] encode(ILoggingEvent event) {
        return (line(event) + "\n").getBytes(UTF_8);
    }

    @Override
    public final byte[] headerBytes() {
        return new byte[0];
    }

    @Override
    public final byte[] footerBytes() {
        return new byte[0];
    }
}
