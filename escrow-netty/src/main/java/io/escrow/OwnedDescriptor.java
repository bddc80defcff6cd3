package io.escrow;

import io.netty.channel.unix.FileDescriptor;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.ReferenceCounted;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import io.netty.util.ResourceLeakTracker;
import java.io.IOException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the references to a descriptor, and closes it when the last one is released.
 *
 * <p>The count starts at one. Netty's leak detector reports an object that is garbage collected with a count above
 * zero. Any thread may use it.
 */
public final class OwnedDescriptor extends FileDescriptor implements ReferenceCounted {

    private static final Logger logger = LoggerFactory.getLogger(OwnedDescriptor.class);
    private static final ResourceLeakDetector<OwnedDescriptor> LEAKS =
            ResourceLeakDetectorFactory.instance().newResourceLeakDetector(OwnedDescriptor.class);

    private static final AtomicIntegerFieldUpdater<OwnedDescriptor> COUNT =
            AtomicIntegerFieldUpdater.newUpdater(OwnedDescriptor.class, "count");

    private final Executor closer;
    private volatile int count = 1;
    private final ResourceLeakTracker<OwnedDescriptor> leak = LEAKS.track(this);

    /**
     * Takes over a descriptor.
     *
     * @param number the number of the open descriptor, 0 or more; closed by the last {@link #release()}
     */
    public OwnedDescriptor(int number) {
        this(number, Runnable::run);
    }

    /**
     * Takes over a descriptor that is closed by an executor. Closing the last descriptor of a connection with {@code
     * SO_LINGER} blocks until its peer has received everything, up to the linger time.
     *
     * @param number the number of the open descriptor, 0 or more
     * @param closer runs the closing, after the last {@link #release()}
     */
    public OwnedDescriptor(int number, Executor closer) {
        super(number);
        this.closer = closer;
    }

    /**
     * Gives the descriptor away without closing it.
     *
     * @return the same number; the caller closes the descriptor
     * @throws IllegalReferenceCountException if there are other references, or the last one was released already
     */
    public FileDescriptor detach() {
        if (!COUNT.compareAndSet(this, 1, 0)) {
            throw new IllegalReferenceCountException(count, 0);
        }
        closeLeak();
        return new FileDescriptor(intValue());
    }

    @Override
    public int refCnt() {
        return count;
    }

    @Override
    public OwnedDescriptor retain() {
        return retain(1);
    }

    @Override
    public OwnedDescriptor retain(int increment) {
        int before;
        do {
            before = count;
            if (before == 0) {
                throw new IllegalReferenceCountException(0, increment);
            }
        } while (!COUNT.compareAndSet(this, before, before + increment));
        return this;
    }

    @Override
    public boolean release() {
        return release(1);
    }

    @Override
    public boolean release(int decrement) {
        int before;
        do {
            before = count;
            if (before < decrement) {
                throw new IllegalReferenceCountException(before, -decrement);
            }
        } while (!COUNT.compareAndSet(this, before, before - decrement));
        if (before > decrement) {
            return false;
        }
        closeLeak();
        closer.execute(new Closing(this));
        return true;
    }

    private void closeNow() {
        try {
            close();
        } catch (IOException e) {
            logger.warn("closing descriptor {} failed", intValue(), e);
        }
    }

    @Override
    public OwnedDescriptor touch() {
        return touch(null);
    }

    @Override
    public OwnedDescriptor touch(Object hint) {
        if (leak != null) {
            leak.record(hint);
        }
        return this;
    }

    private void closeLeak() {
        if (leak != null) {
            leak.close(this);
        }
    }

    /** No lambda: each one costs escrowd, whose Java compiles for a quick start, a call into the virtual machine. */
    private record Closing(OwnedDescriptor descriptor) implements Runnable {
        @Override
        public void run() {
            descriptor.closeNow();
        }
    }
}
