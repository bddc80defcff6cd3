package io.escrow.system;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Makes a new version of a server die while it starts.
 *
 * @param point where
 * @param time how often it gets there before it dies, and this time
 * @param manner how it dies
 * @param reached how often it got there
 */
record Flaw(Point point, int time, Manner manner, AtomicInteger reached) {

    /** Is the server that does not die. */
    static final Flaw NONE = new Flaw(Point.NEVER, 1, Manner.HALT);

    private static final int STATUS = 7;

    /** A step of a start. */
    enum Point {
        NEVER,
        /** The session with the escrow has begun. */
        SESSION,
        /** A listener is adopted. */
        LISTENER,
        /** The pipeline of a connection is built. */
        PIPELINE,
        /** The handlers of a connection have their state, and it does not go on yet. */
        RESTORED
    }

    /** What comes over the process. */
    enum Manner {
        /** As with SIGKILL. */
        HALT,
        EXIT,
        EXCEPTION,
        ERROR
    }

    Flaw(Point point, int time, Manner manner) {
        this(point, time, manner, new AtomicInteger());
    }

    /** Reads what {@link #argument} has written. */
    static Flaw of(String argument) {
        String[] parts = argument.split(":", -1);
        return new Flaw(Point.valueOf(parts[0]), Integer.parseInt(parts[1]), Manner.valueOf(parts[2]));
    }

    String argument() {
        return point + ":" + time + ":" + manner;
    }

    /** Is called at each step, by any thread. */
    void at(Point now) {
        if (now == point && reached.incrementAndGet() == time) {
            switch (manner) {
                case HALT -> Runtime.getRuntime().halt(STATUS);
                case EXIT -> System.exit(STATUS);
                case EXCEPTION -> throw new IllegalStateException("a bad version");
                case ERROR -> throw new OutOfMemoryError("a bad version");
                default -> throw new AssertionError(manner);
            }
        }
    }
}
