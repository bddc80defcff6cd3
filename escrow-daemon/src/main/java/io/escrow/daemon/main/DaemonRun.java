package io.escrow.daemon.main;

import io.escrow.EscrowException;
import io.escrow.daemon.DaemonStatus;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.follow.Steps;
import io.netty.channel.EventLoop;
import java.util.Locale;
import java.util.function.Supplier;

/** Runs the daemon of this process from its start to its end, and tells systemd and the log how it goes. */
final class DaemonRun {

    /** How it begins. */
    enum Beginning {
        START,
        TAKE_OVER,
        STAND_BY
    }

    private static final int FAILED = 3;

    private final DaemonOptions options;
    private final Beginning beginning;
    private final LogOptions log;
    private final int arguments;
    private EventLoop notified;
    private volatile EscrowDaemon served;
    private volatile boolean ending;

    /**
     * Creates a run that has not begun.
     *
     * @param arguments how many arguments the program has; a successor gets the same ones
     */
    DaemonRun(DaemonOptions options, Beginning beginning, LogOptions log, int arguments) {
        this.options = options;
        this.beginning = beginning;
        this.log = log;
        this.arguments = arguments;
    }

    /** Serves until another daemon has taken the place of this one. A signal ends the process from within this method. */
    void serve() throws EscrowException {
        Signals.handle();
        PreloadedClasses.load();
        SystemdNotifier notifier =
                SystemdNotifier.of(System.getenv(), ProcessHandle.current().pid());
        // A process that stands by may be told to end, too: what it has logged is written.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(notifier), "escrowd-shutdown"));
        EscrowDaemon daemon = begin(notifier);
        served = daemon;
        daemon.allowSuccessor(new SuccessorProcess(arguments, options.path()));
        if (beginning == Beginning.STAND_BY) {
            daemon.expectStandby();
        }
        log.tellListening(options.path());
        tell(notifier, daemon.eventLoop(), daemon::status);
        try {
            daemon.join();
            if (!ending) {
                daemon.successor().ifPresent(pid -> notifier.handOver(daemon.eventLoop(), pid));
            }
        } catch (IllegalStateException e) {
            // It is logged. No shutdown hook runs: what does not work any more must not keep this process alive.
            log.end();
            Runtime.getRuntime().halt(FAILED);
        }
    }

    /** Returns the daemon when it serves. */
    private EscrowDaemon begin(SystemdNotifier notifier) throws EscrowException {
        if (beginning != Beginning.START) {
            Rehearsal.hold(options);
        }
        Steps.begin();
        return switch (beginning) {
            case START -> EscrowDaemon.start(options);
            case TAKE_OVER -> EscrowDaemon.takeOver(options);
            case STAND_BY ->
                EscrowDaemon.standBy(
                        options,
                        new StandbyLog(
                                log, options.path(), (loop, status) -> tell(notifier, loop, status), notifier::await));
        };
    }

    /** Reports once for each daemon, when it stands by or when it serves. */
    private void tell(SystemdNotifier notifier, EventLoop loop, Supplier<DaemonStatus> status) {
        if (notified != loop) {
            notified = loop;
            notifier.begin(loop, () -> summary(status.get()));
        }
    }

    private void end(SystemdNotifier notifier) {
        ending = true;
        EscrowDaemon daemon = served;
        if (daemon != null) {
            if (daemon.successor().isEmpty()) {
                String what = daemon.handOver() ? "handed over: " : "dropped: ";
                notifier.end(daemon.eventLoop(), () -> what + held(daemon.status()));
            }
            daemon.close();
        }
        log.end();
    }

    private String summary(DaemonStatus status) {
        return (served != null ? "" : "standing by; ") + held(status) + ", session: "
                + (status.session() ? "on" : "none");
    }

    private static String held(DaemonStatus status) {
        return String.format(Locale.ROOT, "slots: %,d, descriptors: %,d", status.slots(), status.descriptors());
    }
}
