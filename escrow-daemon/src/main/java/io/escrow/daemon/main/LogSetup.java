package io.escrow.daemon.main;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.LoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import java.util.function.LongFunction;
import org.slf4j.LoggerFactory;
import org.slf4j.event.KeyValuePair;

/**
 * Configures logback for the daemon's own process. A configuration file in the jar would also apply to programs that
 * embed the daemon, and would take longer to read.
 */
final class LogSetup {

    private LogSetup() {}

    /** Applies a format; returns what says in the log how many lines of it are missing. */
    static LongFunction<String> apply(boolean json) {
        LineEncoder encoder = json ? new JsonLineEncoder() : new TextLineEncoder();
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        encoder.setContext(context);
        encoder.start();
        ConsoleAppender<ILoggingEvent> stderr = new ConsoleAppender<>();
        stderr.setContext(context);
        stderr.setTarget("System.err");
        stderr.setEncoder(encoder);
        stderr.start();
        Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
        root.setLevel(Level.INFO);
        root.addAppender(stderr);
        return missing(encoder);
    }

    /** Sets whether nothing but errors is logged. */
    static void mute(boolean mute) {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(mute ? Level.ERROR : Level.INFO);
    }

    private static LongFunction<String> missing(LineEncoder encoder) {
        Logger logger = (Logger) LoggerFactory.getLogger(LogSetup.class);
        return lines -> {
            LoggingEvent event =
                    new LoggingEvent(LogSetup.class.getName(), logger, Level.WARN, "log lines dropped", null, null);
            event.addKeyValuePair(new KeyValuePair("lines", lines));
            return encoder.line(event);
        };
    }
}
