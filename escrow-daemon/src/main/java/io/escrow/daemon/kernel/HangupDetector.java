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
 * Looks which connections have no peer any more, with an epoll instance of its own that is asked and never waited for.
 * Nothing is read from a connection, and nothing about it is changed. Used on the daemon's event loop only.
 */
public final class HangupDetector implements AutoCloseable {

    private static final int EPOLLHUP = 0x10;

    private final IoHandler epoll;

    public HangupDetector() {
        epoll = EpollIoHandler.newFactory().newHandler(new Caller());
        epoll.initialize();
    }

    /** Returns those whose peer has gone: hung up in both directions, or reset. */
    public Set<OwnedDescriptor> gone(Collection<OwnedDescriptor> descriptors) {
        Set<OwnedDescriptor> hungUp = new HashSet<>();
        List<IoRegistration> registrations = new ArrayList<>(descriptors.size());
        try {
            for (OwnedDescriptor descriptor : descriptors) {
                register(new Look(descriptor, hungUp), registrations);
            }
            int ready = 1;
            while (ready > 0) {
                // Each one that is ready leaves when it is called, so the next round finds others.
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
            // Which always includes EPOLLHUP.
            registration.submit(EpollIoOps.EPOLLERR);
        } catch (UncheckedIOException e) {
            return; // Not of a kind that can be polled, such as a file.
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("a descriptor can't be looked at", e);
        }
    }

    /** Tells a connection from a socket that never was one, and from a pipe: those hang up, too. */
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
            // The descriptor is the store's.
        }
    }

    /** Makes the handler do everything at once, on the thread that calls it. */
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
