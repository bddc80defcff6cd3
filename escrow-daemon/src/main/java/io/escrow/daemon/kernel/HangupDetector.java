package io.escrow.daemon.kernel;

import io.escrow.OwnedDescriptor;
import io.netty.channel.IoEvent;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Detects connections whose peer has gone, with an epoll instance of its own. Never waits, reads nothing from a
 * connection, and does not change it. An instance is used by one thread only.
 */
public final class HangupDetector implements AutoCloseable {

    private static final int EPOLLHUP = 0x10;

    private final IoHandler epoll;

    public HangupDetector() {
        epoll = EpollIoHandler.newFactory().newHandler(new Caller());
        epoll.initialize();
    }

    /** Returns the connections whose peer has gone: closed in both directions, or reset. */
    public Set<OwnedDescriptor> gone(Collection<OwnedDescriptor> descriptors) {
        Set<OwnedDescriptor> hungUp = new HashSet<>();
        List<IoRegistration> registrations = new ArrayList<>(descriptors.size());
        try {
            for (OwnedDescriptor descriptor : descriptors) {
                register(new Look(descriptor, hungUp), registrations);
            }
            int ready = 1;
            while (ready > 0) {
                // Each descriptor that is ready removes itself when it is called, so the next round finds others.
                ready = epoll.run(NoWaiting.INSTANCE);
            }
        } finally {
            registrations.forEach(IoRegistration::cancel);
        }
        hungUp.removeIf(descriptor -> !wasConnected(descriptor));
        return hungUp;
    }

    private void register(Look look, List<IoRegistration> registrations) {
        try {
            IoRegistration registration = epoll.register(look);
            registrations.add(registration);
            // EPOLLHUP is always included.
            registration.submit(EpollIoOps.EPOLLERR);
        } catch (UncheckedIOException e) {
            return; // Can't be polled, as a file for example.
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("a descriptor can't be polled", e);
        }
    }

    /**
     * Returns whether a descriptor is a connection: pipes and sockets that were never connected report a hangup, too.
     */
    private static boolean wasConnected(OwnedDescriptor descriptor) {
        if (!ProcDescriptors.isSocket(ProcDescriptors.name(descriptor.intValue()))) {
            return false;
        }
        try {
            return new SocketInfo(descriptor.intValue()).wasConnected();
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public void close() {
        epoll.prepareToDestroy();
        epoll.destroy();
    }

    /** Notes that a descriptor has hung up. */
    private record Look(OwnedDescriptor descriptor, Set<OwnedDescriptor> hungUp) implements EpollIoHandle {
        @Override
        public FileDescriptor fd() {
            return descriptor;
        }

        @Override
        public void handle(IoRegistration registration, IoEvent event) {
            if ((((EpollIoEvent) event).ops().value() & EPOLLHUP) != 0) {
                hungUp.add(descriptor);
            }
            registration.cancel();
        }

        @Override
        public void close() {
            // The store owns the descriptor.
        }
    }

    /** Makes the handler run everything at once, on the calling thread. */
    private static final class Caller implements ThreadAwareExecutor {
        @Override
        public boolean isExecutorThread(Thread thread) {
            return true;
        }

        @Override
        public void execute(Runnable task) {
            task.run();
        }
    }

    private enum NoWaiting implements IoHandlerContext {
        INSTANCE;

        @Override
        public boolean canBlock() {
            return false;
        }

        @Override
        public long delayNanos(long now) {
            return 0;
        }

        @Override
        public long deadlineNanos() {
            return -1;
        }
    }
}
