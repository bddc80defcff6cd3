package io.escrow.daemon.events;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class LogQueueTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    /** Three lines of this length fit. */
    private static final int CAPACITY = 3 * (4 + 32);

    private final Reader reader = new Reader();
    private final LogQueue queue = new LogQueue(reader, CAPACITY, lines -> "missing " + lines);
    private final PrintStream printer = queue.printer();
    private final long before = LogQueue.dropped();

    /** Takes a line for each permit. */
    private static final class Reader extends OutputStream {
        private final Semaphore permits = new Semaphore(0);
        private final ByteArrayOutputStream taken = new ByteArrayOutputStream();
        private boolean broken;

        @Override
        public void write(byte[] bytes) throws IOException {
            permits.acquireUninterruptibly();
            synchronized (taken) {
                if (broken) {
                    throw new IOException("no reader");
                }
                taken.write(bytes);
            }
        }

        @Override
        public void write(int b) {
            throw new AssertionError("lines are written whole");
        }

        void broken(boolean value) {
            synchronized (taken) {
                broken = value;
            }
        }

        /** Waits until some lines are taken, and the next one is on its way. */
        void await(int lines) {
            Awaitility.await().atMost(PATIENCE).until(() -> lines().size() == lines && permits.hasQueuedThreads());
        }

        List<String> lines() {
            synchronized (taken) {
                return taken.toString(UTF_8).lines().toList();
            }
        }
    }

    private void print(String... lines) {
        Stream.of(lines).forEach(line -> printer.print(line + "\n"));
    }

    private void assertWritten(String... lines) {
        reader.permits.release(100);
        queue.drain(PATIENCE);
        assertEquals(List.of(lines), reader.lines());
    }

    @Test
    void linesAreWrittenWholeAndInOrder() {
        printer.print("a");
        printer.print("b\nc");
        printer.println();

        assertWritten("ab", "c");
        assertEquals(before, LogQueue.dropped());
    }

    /** The gap is where the lines are missing; and behind them nothing gets in until half the queue is written. */
    @Test
    void whatDoesNotFitIsCountedWhereItIsMissing() {
        print("1st", "2nd", "3rd", "4th", "5th");
        reader.permits.release();
        reader.await(1);
        print("6th");
        reader.permits.release();
        reader.await(2);
        print("7th");

        assertWritten("1st", "2nd", "3rd", "missing 3", "7th");
        assertEquals(before + 3, LogQueue.dropped());
    }

    @Test
    void missingLinesAreToldWithoutAnotherLine() {
        print("1st", "2nd", "3rd", "4th");

        assertWritten("1st", "2nd", "3rd", "missing 1");
    }

    @Test
    void lineLongerThanTheQueueIsDropped() {
        print("x".repeat(10 * CAPACITY), "2nd");

        assertWritten("missing 1", "2nd");
    }

    @Test
    void linesThatCannotBeWrittenAreMissing() {
        reader.broken(true);
        reader.permits.release(100);
        print("1st");
        queue.drain(PATIENCE);
        print("2nd");
        queue.drain(PATIENCE);
        reader.broken(false);
        print("3rd");

        assertWritten("missing 2", "3rd");
        assertEquals(before + 2, LogQueue.dropped());
    }

    @Test
    void drainingEndsWithoutReader() {
        print("1st");
        queue.drain(Duration.ofMillis(1));

        assertTrue(reader.lines().isEmpty());
    }
}
