package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.Status;
import io.escrow.codec.Wire;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.follow.Follower;
import io.escrow.daemon.follow.LinkConnector;
import io.escrow.daemon.follow.LinkHello;
import io.escrow.daemon.follow.Listening;
import io.escrow.daemon.follow.SessionState;
import io.escrow.daemon.follow.Steps;
import io.escrow.daemon.kernel.DescriptorCloser;
import io.escrow.daemon.socket.SocketFile;
import io.escrow.daemon.store.Store;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Takes the place of a daemon that serves. Nothing is read from a client before the other daemon knows that this one
 * serves: if this process ends before, the other one goes on as if nothing had happened.
 */
final class TakeOver {

    /** How long the lock may stay taken that was released: the other daemon may only have taken it back. */
    private static final Duration LOCK_PATIENCE = Duration.ofSeconds(1);

    private static final Duration NEXT_PATIENCE = Duration.ofSeconds(5);
    /** How long a process may take from the end of its connections to its own end. */
    private static final Duration END_PATIENCE = Duration.ofSeconds(20);

    private static final long LOCK_RETRY_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

    private final DaemonOptions options;
    private final EventLoopGroup group;
    private final DescriptorCloser closer;
    private final SocketFile socketFile;
    private final EventLog eventLog;
    private final Store store;
    private final Follower follower;
    private final boolean stays;
    private boolean goesOn = true;
    private boolean promoted;
    private Channel clients;
    private final List<Channel> earlier = new ArrayList<>();
    private Listening clientsSocket;
    private Follower.Socket operators;
    private OwnedDescriptor metrics;

    /**
     * Creates an object that is not connected.
     *
     * @param stays whether it is to serve only when the other daemon ends
     */
    TakeOver(
            DaemonOptions options,
            EventLoopGroup group,
            DescriptorCloser closer,
            SocketFile socketFile,
            EventLog eventLog,
            Store store,
            String version,
            boolean stays) {
        this.options = options;
        this.group = group;
        this.closer = closer;
        this.socketFile = socketFile;
        this.eventLog = eventLog;
        this.store = store;
        this.stays = stays;
        LinkHello hello = LinkHello.own(Wire.keepsFlags(), options.descriptorBatches(), version);
        this.follower = new Follower(
                store,
                stays ? hello.with(LinkHello.STAYS) : hello,
                new LimitCheck(options),
                new ClosingPace(store, options.storeLimits().descriptors(), closer)::keep);
    }

    /**
     * Gets everything from the daemon that serves, and is the next one to serve its path.
     *
     * @throws EscrowException if that is not possible
     */
    void follow() throws EscrowException {
        try {
            LinkConnector.connect(options.path(), group, closer, follower);
            await(follower.synced());
            socketFile.awaitNext(NEXT_PATIENCE);
        } catch (EscrowException e) {
            follower.fail(e.getMessage());
            throw e;
        }
    }

    /**
     * Waits until the daemon that serves wants to end, or has ended, and gets the claim of its path.
     *
     * @param acceptor adopts the sockets of the clients
     * @param service adopts the counters
     * @throws EscrowException if that daemon goes on serving, or this one has not all that it had
     */
    void standBy(Acceptor acceptor, ControlService service) throws EscrowException {
        Steps.reached("standing-by");
        follower.asked().exceptionally(ended -> null).join();
        if (!follower.closed().isDone()) {
            try {
                prepare(acceptor, service);
                return;
            } catch (EscrowException e) {
                if (!follower.committed().isCompletedExceptionally()) {
                    throw e;
                }
                // It has ended meanwhile.
                follower.closed().join();
            }
        }
        if (!follower.isInStep()) {
            throw new EscrowException(Status.ECONNRESET, follower.reason());
        }
        Steps.reached("standby-alone");
        promoted = true;
        call(() -> {
            adoptSockets(acceptor);
            if (follower.statistics() != null) {
                service.restore(follower.statistics());
            }
            return null;
        });
        claim(END_PATIENCE);
        Steps.reached("standby-locked");
        // Now, when nothing can change it any more.
        goesOn = follower.goesOn();
    }

    /**
     * Has the daemon that serves stop, and gets the claim of its path.
     *
     * @param acceptor adopts the sockets of the clients
     * @param service adopts the counters
     * @throws EscrowException if that daemon goes on serving
     */
    void prepare(Acceptor acceptor, ControlService service) throws EscrowException {
        try {
            follower.take();
            await(follower.committed());
            call(() -> {
                adoptSockets(acceptor);
                service.restore(follower.statistics());
                return null;
            });
            Steps.reached("successor-prepared");
            follower.prepared();
            await(follower.released());
            claim(follower.isReleased() ? LOCK_PATIENCE : END_PATIENCE);
        } catch (EscrowException e) {
            follower.fail(e.getMessage());
            throw e;
        }
        Steps.reached("successor-locked");
    }

    private void adoptSockets(Acceptor acceptor) throws EscrowException {
        for (Follower.Socket socket : follower.sockets()) {
            switch (socket.listening().role()) {
                case CLIENTS -> {
                    clientsSocket = socket.listening();
                    clients = adopt(acceptor, socket.descriptor());
                }
                case EARLIER_CLIENTS -> earlier.add(adopt(acceptor, socket.descriptor()));
                case OPERATORS -> operators = socket;
                case METRICS -> metrics = socket.descriptor();
            }
        }
        follower.socketsTaken();
        if (clients == null || operators == null) {
            throw new EscrowException(Status.EPROTO, "the other escrowd has sent no listening sockets");
        }
    }

    private static Channel adopt(Acceptor acceptor, OwnedDescriptor descriptor) {
        int number = descriptor.detach().intValue();
        return acceptor.adopt(() -> new EpollServerDomainSocketChannel(number, true))
                .channel();
    }

    private void claim(Duration patience) throws EscrowException {
        long start = System.nanoTime();
        while (!socketFile.tryClaim()) {
            if (stays) {
                follower.goesOn(); // Fails when the other daemon goes on alone.
            } else {
                follower.checkNotRefused();
            }
            if (System.nanoTime() - start > patience.toNanos()) {
                throw new EscrowException(Status.ECONNRESET, "not taken over: " + follower.reason());
            }
            LockSupport.parkNanos(LOCK_RETRY_NANOS);
        }
    }

    /** Returns the address to which the clients' socket was bound. */
    String address() {
        return clientsSocket.address();
    }

    /** Returns the operators' socket. */
    Follower.Socket operators() {
        return operators;
    }

    /** Returns the socket of the metrics; {@code null} if there is none. */
    OwnedDescriptor metrics() {
        return metrics;
    }

    /** Begins to serve. From now on the other daemon does nothing but end. */
    void serve(Acceptor acceptor, Sessions sessions, Runnable withoutSession) throws EscrowException {
        SessionState state = follower.session().state();
        OwnedDescriptor held = follower.session().takeConnection();
        OwnedDescriptor connection = goesOn ? held : null;
        if (!goesOn && held != null) {
            held.release(); // Its client does not know what has become of the last requests.
        }
        call(() -> {
            acceptor.use(clients, earlier);
            return null;
        });
        Steps.reached("successor-serving");
        follower.serving();
        Steps.reached("successor-served");
        call(() -> {
            if (connection == null) {
                withoutSession.run();
            } else {
                acceptor.serve(
                        new EpollDomainSocketChannel(connection.detach().intValue()),
                        channel -> sessions.resume(channel, state));
            }
            acceptor.resume();
            CurrentSession current = sessions.current();
            socketFile.holder(
                    current == null ? 0 : current.sessionRecord().peer().pid());
            tell(connection != null, held != null && !goesOn);
            return null;
        });
        if (clientsSocket.owned()) {
            socketFile.adopt(clientsSocket.published());
        }
        socketFile.releaseNext();
    }

    long millisWithoutSession() {
        return follower.session().millisWithout();
    }

    private void tell(boolean session, boolean cut) {
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("version", follower.program());
        details.put("slots", store.slots());
        details.put("session", session);
        if (promoted) {
            details.put("ended", true);
            details.put("session_closed", cut);
        }
        eventLog.info("serving in place of another escrowd", details);
    }

    /** Drops the link and what came over it but for the slots. */
    void close() {
        group.next().submit(follower::close).awaitUninterruptibly();
    }

    private <T> T call(Callable<T> task) throws EscrowException {
        return await(EventLoops.call(group.next(), task));
    }

    private static <T> T await(CompletableFuture<T> future) throws EscrowException {
        try {
            return future.join();
        } catch (CompletionException e) {
            throw Futures.toEscrowException(e);
        }
    }
}
