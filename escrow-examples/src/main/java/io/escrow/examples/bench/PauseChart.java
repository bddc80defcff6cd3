package io.escrow.examples.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Draws the pause of each connection over time, as an SVG picture. */
final class PauseChart {

    private static final int WIDTH = 800;
    private static final int HEIGHT = 500;
    private static final int MARGIN = 50;
    private static final int MARKS = 8;

    private PauseChart() {}

    /**
     * Writes the picture of a handover.
     *
     * @param pauses one for each connection
     * @param took how long the handover took, in microseconds
     */
    static void write(Path file, List<Pause> pauses, long took, String title) throws IOException {
        List<Pause> sorted = pauses.stream()
                .sorted(Comparator.comparingLong(Pause::from).thenComparingLong(Pause::until))
                .toList();
        long first = Math.min(0, sorted.stream().mapToLong(Pause::from).min().orElse(0));
        long last = Math.max(took, sorted.stream().mapToLong(Pause::until).max().orElse(0));
        long mark = roundUp(Math.max(1, (last - first) / MARKS));
        // The first mark is at or before the first pause.
        long begin = Math.floorDiv(first, mark) * mark;
        double scale = (double) WIDTH / Math.max(1, last - begin);
        StringBuilder svg = new StringBuilder();
        svg.append(String.format(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\""
                        + " font-size=\"12\">%n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
                WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN));
        text(svg, MARGIN, MARGIN / 2, "start", title);
        for (int i = 0; i < sorted.size(); i++) {
            Pause pause = sorted.get(i);
            svg.append(String.format(
                    Locale.ROOT,
                    "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"steelblue\"/>%n",
                    MARGIN + (pause.from() - begin) * scale,
                    MARGIN + (double) HEIGHT * i / sorted.size(),
                    Math.max(1, pause.length() * scale),
                    (double) HEIGHT / sorted.size()));
        }
        for (long time = begin; time <= last; time += mark) {
            double x = MARGIN + (time - begin) * scale;
            text(svg, x, MARGIN + HEIGHT + 15, "middle", time / 1000 + " ms");
        }
        line(svg, MARGIN - begin * scale, "SIGTERM");
        line(svg, MARGIN + (took - begin) * scale, "handed over");
        text(
                svg,
                MARGIN,
                MARGIN + HEIGHT + 35,
                "start",
                "each connection's longest wait for an answer, from sending to the answer, in the order in which they began");
        Files.writeString(file, svg.append("</svg>\n"));
    }

    private static void line(StringBuilder svg, double x, String name) {
        svg.append(String.format(
                Locale.ROOT,
                "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"crimson\"/>%n",
                x,
                MARGIN,
                x,
                MARGIN + HEIGHT));
        text(svg, x, MARGIN - 5, "middle", name);
    }

    private static void text(StringBuilder svg, double x, int y, String anchor, String text) {
        svg.append(String.format(
                Locale.ROOT, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>%n", x, y, anchor, text));
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
