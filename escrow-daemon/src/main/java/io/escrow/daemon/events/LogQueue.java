package io.escrow.daemon.events;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongFunction;

/**
 * Writes lines to a stream on a thread of its own, so that whoever prints them never waits for a slow or absent reader.
 * Lines that do not fit into the queue are dropped and counted. Where lines are missing, a line says how many.
 *
 * <p>When the queue has become full, it takes lines again as soon as half of it is written.
 */
public final class LogQueue extends OutputStream {

    /** What a line takes besides its bytes. */
    private static final int OVERHEAD = 32;

    private static final LongAdder dropped = new LongAdder();

    private static final class Line {
        final byte[] bytes;
        /** 0, or the number of lines in whose place this one is. */
        final long inPlaceOf;

        Line(byte[] bytes, long inPlaceOf) {
            this.bytes = bytes;
            this.inPlaceOf = inPlaceOf;
        }
    }

    private final OutputStream out;
    private final int capacity;
    private final LongFunction<String> notice;
    private final Deque<Line> lines = new ArrayDeque<>();
    private final ByteArrayOutputStream begun = new ByteArrayOutputStream();
    private int queued;
    private long missing;
    private boolean failed;
    private boolean writing;

    /**
     * Creates a queue and starts its thread, which does not keep the process from ending.
     *
     * @param out where the lines go; never closed
     * @param capacity how many bytes may wait
     * @param notice makes the line, without its end, which says how many lines were dropped
     */
    public LogQueue(OutputStream out, int capacity, LongFunction<String> notice) {
        this.out = out;
        this.capacity = capacity;
        this.notice = notice;
        Thread writer = new Thread(this::writeAll, "escrowd-log");
        writer.setDaemon(true);
        writer.start();
    }

    /** Returns how many lines of its log this process has dropped. */
    public static long dropped() {
        return dropped.sum();
    }

    /** Returns a stream that prints into this queue. */
    public PrintStream printer() {
        return new PrintStream(this, true, UTF_8);
    }

    @Override
    public synchronized void write(int b) {
        // A line as long as the whole queue is dropped anyway.
        if (begun.size() < capacity) {
            begun.write(b);
        }
        if (b == '\n') {
            add(begun.toByteArray());
            begun.reset();
        }
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            write(bytes[i]);
        }
    }

    private void add(byte[] line) {
        boolean full = missing > 0 && queued > capacity / 2;
        if (full || size(line) > capacity - queued) {
            missing++;
            dropped.increment();
            return;
        }
        addNotice();
        put(new Line(line, 0));
    }

    private void addNotice() {
        if (missing > 0) {
            put(new Line((notice.apply(missing) + "\n").getBytes(UTF_8), missing));
            missing = 0;
        }
    }

    private void put(Line line) {
        lines.add(line);
        queued += size(line.bytes);
        notifyAll();
    }

    private static int size(byte[] line) {
        return line.length + OVERHEAD;
    }

    private void writeAll() {
        try {
            while (true) {
                write(next());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // Nobody interrupts this thread.
        }
    }

    /** Waits for a line; it counts as queued until it is written. */
    private synchronized Line next() throws InterruptedException {
        // After a failure, the number of missing lines waits for the next line: each try could fail.
        while (lines.isEmpty() && (missing == 0 || failed)) {
            wait();
        }
        if (lines.isEmpty()) {
            addNotice();
        }
        writing = true;
        return lines.remove();
    }

    private void write(Line line) {
        boolean done = false;
        try {
            out.write(line.bytes);
            out.flush();
            done = true;
        } catch (IOException e) {
            // The reader has gone, or the file system is full. Counted below.
        }
        written(line, done);
    }

    private synchronized void written(Line line, boolean done) {
        writing = false;
        queued -= size(line.bytes);
        failed = !done;
        if (!done) {
            missing += Math.max(1, line.inPlaceOf);
            dropped.add(line.inPlaceOf == 0 ? 1 : 0);
        }
        notifyAll();
    }

    /** Waits until everything is written, but not longer than a time. */
    public synchronized void drain(Duration most) {
        long deadline = System.nanoTime() + most.toNanos();
        try {
            while (writing || !lines.isEmpty() || (missing > 0 && !failed)) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    return;
                }
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
