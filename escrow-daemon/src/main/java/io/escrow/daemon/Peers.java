package io.escrow.daemon;

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
import io.netty.channel.unix.Socket;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Looks which connections have no peer any more, with an epoll instance of its own that is asked and never waited for.
 * Nothing is read from a connection, and nothing about it is changed. Used on the daemon's event loop only.
 */
final class Peers implements AutoCloseable {

    private static final int EPOLLHUP = 0x10;

    // socket(7), unix(7), tcp(7); x86_64 and aarch64
    private static final int SOL_SOCKET = 1;
    private static final int SO_TYPE = 3;
    private static final int SO_PEERCRED = 17;
    private static final int SO_DOMAIN = 39;
    private static final int SOCK_STREAM = 1;
    private static final int AF_UNIX = 1;
    private static final int UCRED_LENGTH = 12;
    private static final int UCRED_UID = 4;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_INFO = 11;
    private static final int TCP_INFO_LENGTH = 144;
    private static final int TCPI_SEGS_IN = 140;

    private final IoHandler epoll;

    Peers() {
        epoll = EpollIoHandler.newFactory().newHandler(new Caller());
        epoll.initialize();
    }

    /** Returns those whose peer has gone: hung up in both directions, or reset. */
    Set<OwnedDescriptor> gone(Collection<OwnedDescriptor> descriptors) {
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
        if (!OpenSockets.isSocket(OpenSockets.name(descriptor.intValue()))) {
            return false;
        }
        Socket socket = new Socket(descriptor.intValue());
        try {
            if (socket.getIntOpt(SOL_SOCKET, SO_TYPE) != SOCK_STREAM) {
                return false;
            }
            if (socket.getIntOpt(SOL_SOCKET, SO_DOMAIN) == AF_UNIX) {
                return option(socket, SOL_SOCKET, SO_PEERCRED, UCRED_LENGTH).getInt(UCRED_UID) != -1;
            }
            return option(socket, IPPROTO_TCP, TCP_INFO, TCP_INFO_LENGTH).getInt(TCPI_SEGS_IN) != 0;
        } catch (IOException e) {
            return false;
        }
    }

    private static ByteBuffer option(Socket socket, int level, int name, int length) throws IOException {
        ByteBuffer value = ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder());
        socket.getRawOpt(level, name, value);
        return value;
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
