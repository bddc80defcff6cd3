package io.escrow.ctl;

import java.util.Locale;

/** Formats numbers and durations. */
final class Text {

    private static final long MINUTE = 60;
    private static final long HOUR = 60 * MINUTE;
    private static final long DAY = 24 * HOUR;

    private Text() {}

    static String number(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    /** Replaces control characters, which could change the terminal or disguise text: clients can store any text. */
    static String printable(String text) {
        return text.replaceAll("\\p{C}", "?");
    }

    /** Formats a duration in its two largest units. */
    static String duration(double seconds) {
        long whole = (long) seconds;
        if (whole < MINUTE) {
            return whole < 10 ? String.format(Locale.ROOT, "%.1f s", seconds) : whole + " s";
        } else if (whole < HOUR) {
            return whole / MINUTE + " min " + whole % MINUTE + " s";
        } else if (whole < DAY) {
            return whole / HOUR + " h " + whole % HOUR / MINUTE + " min";
        }
        return whole / DAY + " d " + whole % DAY / HOUR + " h";
    }
}
