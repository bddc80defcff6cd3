package io.escrow.daemon.main;

import java.nio.file.Path;
import java.util.Locale;
import org.slf4j.LoggerFactory;

/** What the lines of the daemon's log look like. */
enum LogFormat {
    TEXT,
    JSON;

    private static final String LOGBACK = "ch.qos.logback.classic.LoggerContext";

    /**
     * Writes everything that is logged from now on to stderr, in this format. Another SLF4J provider on the class path is
     * left to its own settings.
     *
     * @throws IllegalStateException if the format is not text and there is no logback to write it
     */
    void apply() {
        if (LoggerFactory.getILoggerFactory().getClass().getName().equals(LOGBACK)) {
            LogSetup.apply(this == JSON ? new JsonLineEncoder() : new TextLineEncoder());
        } else if (this != TEXT) {
            throw new IllegalStateException("--log-format=" + this + " needs logback as the SLF4J provider");
        }
    }

    /** Tells those who wait for it that clients can connect: in text by a line of its own, without time and level. */
    void tellListening(Path path) {
        String message = "Listening on \"" + path + "\"";
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
