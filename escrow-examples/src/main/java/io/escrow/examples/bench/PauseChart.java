package io.escrow.examples.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.HdrHistogram.Histogram;

/** Draws a histogram of pauses, as an SVG picture. */
final class PauseChart {

    private static final int WIDTH = 800;
    private static final int HEIGHT = 300;
    private static final int MARGIN = 50;
    private static final int BARS = 50;

    private PauseChart() {}

    /** Writes the picture. The pauses are in microseconds. */
    static void write(Path file, Histogram pauses, String title) throws IOException {
        long bar = roundUp(Math.max(1, pauses.getMaxValue() / BARS + 1));
        long most = 1;
        for (int i = 0; i < BARS; i++) {
            most = Math.max(most, count(pauses, i, bar));
        }
        StringBuilder svg = new StringBuilder();
        svg.append(String.format(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\""
                        + " font-size=\"12\">%n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
                WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN));
        text(svg, MARGIN, MARGIN / 2, "start", title);
        double width = (double) WIDTH / BARS;
        for (int i = 0; i < BARS; i++) {
            double height = (double) HEIGHT * count(pauses, i, bar) / most;
            svg.append(String.format(
                    Locale.ROOT,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"steelblue\"/>%n",
                    MARGIN + i * width,
                    MARGIN + HEIGHT - height,
                    width - 1,
                    height));
        }
        for (int i = 0; i <= BARS; i += BARS / 5) {
            text(svg, (int) (MARGIN + i * width), MARGIN + HEIGHT + 15, "middle", i * bar / 1000 + " ms");
        }
        text(svg, MARGIN - 5, MARGIN + 10, "end", String.valueOf(most));
        mark(svg, pauses.getValueAtPercentile(50), bar, "p50");
        mark(svg, pauses.getValueAtPercentile(99), bar, "p99");
        text(
                svg,
                MARGIN,
                MARGIN + HEIGHT + 35,
                "start",
                "number of connections, by the longest time that each waited for an answer");
        Files.writeString(file, svg.append("</svg>\n"));
    }

    private static long count(Histogram pauses, int i, long bar) {
        return i * bar > pauses.getMaxValue() ? 0 : pauses.getCountBetweenValues(i * bar, (i + 1) * bar - 1);
    }

    private static void mark(StringBuilder svg, long value, long bar, String name) {
        int x = (int) (MARGIN + (double) value / bar * WIDTH / BARS);
        svg.append(String.format(
                "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"crimson\"/>%n", x, MARGIN, x, MARGIN + HEIGHT));
        text(svg, x, MARGIN - 5, "middle", String.format(Locale.ROOT, "%s %.0f ms", name, value / 1000.0));
    }

    private static void text(StringBuilder svg, int x, int y, String anchor, String text) {
        svg.append(String.format("<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>%n", x, y, anchor, text));
    }

    /** Rounds up to a number with one digit other than zero. */
    private static long roundUp(long value) {
        long unit = 1;
        while (unit * 10 <= value) {
            unit *= 10;
        }
        return (value + unit - 1) / unit * unit;
    }
}
