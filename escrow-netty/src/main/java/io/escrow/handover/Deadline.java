package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.internal.Futures;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** Waits for the steps of a handover, until its time is up. */
final class Deadline {

    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final LongSupplier clock;
    private final long end;

    Deadline(Duration time) {
        this(time, System::nanoTime);
    }

    /** Comes when so much time has passed on a clock of nanoseconds. */
    Deadline(Duration time, LongSupplier clock) {
        this.clock = clock;
        end = clock.getAsLong() + time.toNanos();
    }

    /** Returns how much time is left, in nanoseconds; 1 or more. */
    long left() {
        return Math.max(1, end - clock.getAsLong());
    }

    boolean hasPassed() {
        return clock.getAsLong() - end > 0;
    }

    /** Waits a moment, unless the time is up. */
    void pause(String what) throws EscrowException {
        if (hasPassed()) {
            throw new EscrowException(Status.ETIMEDOUT, what);
        }
        LockSupport.parkNanos(POLL_NANOS);
    }

    <T> T await(CompletableFuture<T> future) throws EscrowException {
        return await(future, () -> "the handover was not done in time");
    }

    /** Waits for something; what is said when the time is up. */
    <T> T await(CompletableFuture<T> future, Supplier<String> what) throws EscrowException {
        try {
            return future.get(left(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new EscrowException(Status.ETIMEDOUT, what.get(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EscrowException(Status.ETIMEDOUT, "the handover was interrupted", e);
        } catch (ExecutionException e) {
            throw Futures.toEscrowException(e);
        }
    }
}
