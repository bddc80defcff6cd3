package io.escrow.daemon;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.util.function.Consumer;

/** What encoders of the log get. */
public final class Logged {

    /** Everything that could end a line, hide one, or end a value. */
    public static final String HOSTILE =
            "a\" b=\"c\\\r\n2026-01-01 ERROR forged\t\0\33[2J\u0085\u2028\u202e\ud800 \u00e9\ud83d\ude00";

    private Logged() {}

    /** Returns the one event that is logged. */
    public static ILoggingEvent event(Consumer<Logger> log) {
        LoggerContext context = new LoggerContext();
        ListAppender<ILoggingEvent> events = new ListAppender<>();
        events.setContext(context);
        events.start();
        Logger logger = context.getLogger("test");
        logger.addAppender(events);
        log.accept(logger);
        return events.list.get(0);
    }
}
