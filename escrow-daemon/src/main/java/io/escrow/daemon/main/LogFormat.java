package io.escrow.daemon.main;

import java.nio.file.Path;
import java.util.Locale;
import java.util.function.LongFunction;
import org.slf4j.LoggerFactory;

/** The format of the daemon's log. */
enum LogFormat {
    TEXT,
    JSON;

    private static final String LOGBACK = "ch.qos.logback.classic.LoggerContext";

    /**
     * Makes logback write the log to stderr in this format from now on. Another SLF4J provider on the class path keeps
     * its own settings.
     *
     * @return what says in the log how many lines of it are missing
     * @throws IllegalStateException if the format is not text and there is no logback to write it
     */
    LongFunction<String> apply() {
        if (LoggerFactory.getILoggerFactory().getClass().getName().equals(LOGBACK)) {
            // Only LogSetup names encoders: this class must load where there is no logback.
            return LogSetup.apply(this == JSON);
        } else if (this != TEXT) {
            throw new IllegalStateException("--log-format=" + this + " needs logback as the SLF4J provider");
        }
        return lines -> "log lines dropped: " + lines;
    }

    /** Sets whether nothing but errors is logged. Another SLF4J provider on the class path keeps its own settings. */
    static void mute(boolean mute) {
        if (LoggerFactory.getILoggerFactory().getClass().getName().equals(LOGBACK)) {
            LogSetup.mute(mute);
        }
    }

    /**
     * Announces that clients can connect. As text, this is a line without time and level, for processes that wait for
     * it.
     */
    void tellListening(Path path) {
        announce("Listening on", path);
    }

    /** Announces in the same way that this process serves as soon as the other one ends. */
    void tellStandingBy(Path path) {
        announce("Standing by for", path);
    }

    private void announce(String what, Path path) {
        String message = what + " \"" + path + "\"";
        if (this == TEXT) {
            System.err.println(message);
        } else {
            LoggerFactory.getLogger(LogFormat.class)
                    .atInfo()
                    .addKeyValue("path", path)
                    .log(message);
        }
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
