package io.escrow.daemon;

import io.escrow.daemon.control.ControlServer;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.socket.SocketWatch;
import io.escrow.daemon.store.UnclaimedSlots;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Stops a daemon between two packets, so that nothing changes any more, and lets it go on. Used on the daemon's event loop.
 */
final class Pause {

    private static final long LOOK_MICROS = 500;

    private final EventLoop loop;
    private final Acceptor acceptor;
    private final Sessions sessions;
    private final UnclaimedSlots unclaimed;
    private final ControlService service;
    private final ControlServer control;
    private final SocketWatch watch;
    private final FailureDetector failures;
    private Runnable whenStopped;
    private Duration withoutSession = Duration.ZERO;

    Pause(
            EventLoop loop,
            Acceptor acceptor,
            Sessions sessions,
            UnclaimedSlots unclaimed,
            ControlService service,
            ControlServer control,
            SocketWatch watch,
            FailureDetector failures) {
        this.loop = loop;
        this.acceptor = acceptor;
        this.sessions = sessions;
        this.unclaimed = unclaimed;
        this.service = service;
        this.control = control;
        this.watch = watch;
        this.failures = failures;
    }

    /**
     * Stops the daemon. A client in the middle of a packet, or that has answers to read, is waited for: its timeouts bound
     * that.
     *
     * @param stopped run when nothing can change any more; not when {@link #end} comes before
     */
    void begin(Runnable stopped) {
        whenStopped = stopped;
        withoutSession = sessions.current() == null ? unclaimed.passed() : Duration.ZERO;
        watch.pause(true);
        service.pause(true);
        acceptor.pause().addListener(f -> loop.execute(failures.guard(this::look)));
    }

    private void look() {
        if (whenStopped == null) {
            return;
        }
        CurrentSession session = sessions.current();
        if (session == null && !sessions.isEmpty()) {
            lookLater(); // A client is being refused.
        } else if (session == null) {
            stopped();
        } else {
            session.pause();
            if (session.isAtRest()) {
                // Not only by auto-read: when the client hangs up, Netty reads whatever that says.
                session.channel().deregister().addListener(f -> loop.execute(failures.guard(() -> rested(session))));
            } else {
                lookLater();
            }
        }
    }

    private void lookLater() {
        loop.schedule(failures.guard(this::look), LOOK_MICROS, TimeUnit.MICROSECONDS);
    }

    private void rested(CurrentSession session) {
        if (whenStopped == null) {
            return;
        }
        if (session.channel().isOpen() && !session.isAtRest()) {
            // A packet has begun before the connection was taken from the event loop.
            loop.register(session.channel()).addListener(f -> {
                session.channel().config().setAutoRead(true);
                lookLater();
            });
        } else if (session.channel().isOpen()) {
            stopped();
        } else {
            lookLater();
        }
    }

    private void stopped() {
        withoutSession = sessions.current() == null ? unclaimed.passed() : Duration.ZERO;
        unclaimed.stop();
        control.pause();
        Runnable task = whenStopped;
        task.run();
    }

    /** Notes whether another daemon has everything open. */
    void followed(boolean follows) {
        unclaimed.followed(follows);
    }

    /** Notes which process has everything open because it stands by; 0 for none. */
    void stoodBy(int pid) {
        unclaimed.standby(pid);
    }

    /** Returns for how long there has been no session. */
    Duration sinceSession() {
        return sessions.current() == null ? unclaimed.passed() : Duration.ZERO;
    }

    /** Returns for how long there was no session when the daemon stopped. */
    Duration withoutSession() {
        return withoutSession;
    }

    /** Lets the daemon go on, whether or not it has stopped. */
    void end() {
        whenStopped = null;
        watch.pause(false);
        service.pause(false);
        control.resume();
        CurrentSession session = sessions.current();
        if (session == null) {
            unclaimed.stop();
            unclaimed.start(withoutSession);
        } else if (session.channel().isRegistered()) {
            session.resume();
        } else {
            loop.register(session.channel()).addListener(f -> session.resume());
        }
        acceptor.resume();
    }
}
