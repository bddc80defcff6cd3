package io.escrow.daemon.events;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.internal.OutOfDirectMemoryError;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notices what the daemon can't go on after: the end of an event loop's thread, a class that can't be loaded or linked,
 * and an error of the virtual machine. Logs the first such failure. Any other exception concerns one connection only.
 *
 * <p>Used by any thread.
 */
public final class FailureDetector {

    private static final Logger logger = LoggerFactory.getLogger(FailureDetector.class);

    private final CompletableFuture<Throwable> failure = new CompletableFuture<>();
    private final AtomicBoolean noticed = new AtomicBoolean();
    private volatile boolean ending;

    /** Returns what is completed with the first failure. */
    public CompletableFuture<Throwable> failure() {
        return failure;
    }

    /** Notes that the daemon ends, and its event loops with it. */
    public void ending() {
        ending = true;
    }

    /** Returns a factory for the threads of event loops; the end of such a thread is a failure. */
    public ThreadFactory threads(String name) {
        return new DefaultThreadFactory(name, true) {
            @Override
            public Thread newThread(Runnable task) {
                return super.newThread(() -> {
                    guard(task).run();
                    fail(new IllegalStateException("the event loop \"" + name + "\" has ended"));
                });
            }
        };
    }

    /** Returns a task that does the same, and notices a failure in it. */
    public Runnable guard(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                check(e);
                throw e;
            }
        };
    }

    /** Notices a failure if an exception is one, or was caused by one. */
    public void check(Throwable thrown) {
        for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
            // Netty refuses to allocate a buffer beyond a limit; everything is then as it was before.
            if (cause instanceof LinkageError
                    || (cause instanceof VirtualMachineError && !(cause instanceof OutOfDirectMemoryError))) {
                fail(cause);
                return;
            }
        }
    }

    private void fail(Throwable cause) {
        if (ending || !noticed.compareAndSet(false, true)) {
            return;
        }
        try {
            // Before anybody ends the process.
            logger.atError().setCause(cause).log("daemon failed");
        } finally {
            failure.complete(cause);
        }
    }
}
