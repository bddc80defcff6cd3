package io.escrow.ctl;

import java.util.ArrayList;
import java.util.List;

/** Formats rows in columns: numbers to the right, text to the left. */
final class Table {

    private final List<String[]> rows = new ArrayList<>();
    private final int columns;

    Table(String... names) {
        columns = names.length;
        rows.add(names);
    }

    /** Adds a row; {@code null} is printed as a dash. */
    void add(Object... cells) {
        String[] row = new String[columns];
        for (int i = 0; i < columns; i++) {
            row[i] = cells[i] == null ? "-" : Text.printable(cells[i].toString());
        }
        rows.add(row);
    }

    /** Returns the lines, without trailing spaces. */
    List<String> lines() {
        int[] widths = new int[columns];
        boolean[] right = new boolean[columns];
        for (int i = 0; i < columns; i++) {
            boolean numbers = rows.size() > 1;
            for (int r = 0; r < rows.size(); r++) {
                String cell = rows.get(r)[i];
                widths[i] = Math.max(widths[i], cell.length());
                numbers &= r == 0 || cell.matches("[-\\d.,]+");
            }
            right[i] = numbers;
        }
        return rows.stream().map(row -> line(row, widths, right)).toList();
    }

    private static String line(String[] row, int[] widths, boolean[] right) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < row.length; i++) {
            String space = " ".repeat(widths[i] - row[i].length());
            line.append(i == 0 ? "" : "  ").append(right[i] ? space + row[i] : row[i] + space);
        }
        return line.toString().stripTrailing();
    }
}
