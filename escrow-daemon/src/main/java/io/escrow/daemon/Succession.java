package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.PacketUpgrade;
import io.escrow.codec.Wire;
import io.escrow.control.UpgradeView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.SessionTimeouts;
import io.escrow.daemon.control.ControlServer;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.control.Successors;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.follow.LinkHello;
import io.escrow.daemon.follow.Listening;
import io.escrow.daemon.follow.Primary;
import io.escrow.daemon.follow.PrimaryHost;
import io.escrow.daemon.follow.Steps;
import io.escrow.daemon.socket.SocketFile;
import io.escrow.daemon.store.Store;
import io.escrow.internal.EventLoops;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Lets another daemon take the place of this one. At each step until the other one serves, this one can go on: it holds
 * everything until then. The lock on the lock file decides who serves.
 */
final class Succession implements Successors, PrimaryHost {

    private static final Duration STEP = Duration.ofSeconds(10);
    private static final long LOOK_MILLIS = 5;

    /** How far the other daemon has come. */
    private enum State {
        ALONE,
        FOLLOWED,
        STOPPING,
        COMMITTED,
        RELEASED,
        OVER
    }

    private final EventLoop loop;
    private final Store store;
    private final Acceptor acceptor;
    private final Sessions sessions;
    private final Pause pause;
    private final SocketFile socketFile;
    private final ControlService service;
    private final ControlServer control;
    private final EventLog eventLog;
    private final FailureDetector failures;
    private final Duration patience;
    private final int maxPayload;
    private final Supplier<String> address;
    private final String version;
    private final Executor background;
    private final CompletableFuture<Integer> successor = new CompletableFuture<>();
    private State state = State.ALONE;
    private long step;
    private Primary link;
    private SuccessorStarter starter;
    private CompletableFuture<UpgradeView> upgrade;
    private Process started;
    private String lastReason = "";

    Succession(
            EventLoop loop,
            Store store,
            Acceptor acceptor,
            Sessions sessions,
            Pause pause,
            SocketFile socketFile,
            ControlService service,
            ControlServer control,
            EventLog eventLog,
            FailureDetector failures,
            DaemonOptions options,
            Supplier<String> address,
            String version,
            Executor background) {
        this.loop = loop;
        this.store = store;
        this.acceptor = acceptor;
        this.sessions = sessions;
        this.pause = pause;
        this.socketFile = socketFile;
        this.service = service;
        this.control = control;
        this.eventLog = eventLog;
        this.failures = failures;
        this.address = address;
        this.version = version;
        this.background = background;
        // A client that keeps the daemon from stopping is dropped after these times.
        this.maxPayload = options.limits().payload();
        SessionTimeouts timeouts = options.timeouts();
        this.patience =
                timeouts.stall().plus(timeouts.write()).plus(timeouts.hello()).plus(STEP);
    }

    /** Allows it. */
    void allow(SuccessorStarter how) {
        loop.execute(() -> starter = how);
    }

    /** Completed with the number of the process that serves now. */
    CompletableFuture<Integer> successor() {
        return successor;
    }

    // The operator

    @Override
    public CompletableFuture<UpgradeView> upgrade(Path jar) {
        return EventLoops.call(loop, () -> beginUpgrade(jar)).thenCompose(begun -> begun);
    }

    private CompletableFuture<UpgradeView> beginUpgrade(Path jar) throws EscrowException {
        checkAllowed();
        if (upgrade != null) {
            throw new EscrowException(Status.EADDRINUSE, "an upgrade is under way already");
        }
        CompletableFuture<UpgradeView> begun = new CompletableFuture<>();
        upgrade = begun;
        lastReason = "";
        SuccessorStarter how = starter;
        background.execute(() -> {
            try {
                Process process = how.start(jar);
                loop.execute(failures.guard(() -> watch(process)));
            } catch (EscrowException | RuntimeException e) {
                loop.execute(failures.guard(() -> upgradeFailed(e)));
            }
        });
        return begun;
    }

    private void checkAllowed() throws EscrowException {
        if (starter == null) {
            throw new EscrowException(
                    Status.EOPNOTSUPP, "this escrowd is part of another program, and can't be replaced");
        }
    }

    private void watch(Process process) {
        started = process;
        process.onExit().thenRun(() -> loop.execute(failures.guard(() -> ended(process))));
        loop.schedule(
                failures.guard(() -> {
                    if (started == process && state != State.OVER) {
                        lastReason =
                                "it was not ready within " + patience.plus(STEP).toSeconds() + " s";
                        process.destroyForcibly();
                    }
                }),
                patience.plus(STEP).toMillis(),
                TimeUnit.MILLISECONDS);
    }

    private void ended(Process process) {
        if (state == State.OVER) {
            return;
        }
        started = null;
        upgradeFailed(new EscrowException(
                Status.ECANCELED,
                "the new escrowd (process " + process.pid() + ") ended with exit status " + process.exitValue()
                        + " before it served"
                        + (lastReason.isEmpty() ? "; its log says why" : ": " + lastReason)
                        + ". This one (process " + ProcessHandle.current().pid() + ") goes on"));
    }

    private void upgradeFailed(Exception e) {
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("reason", e.getMessage());
        eventLog.warn("upgrade failed", details);
        CompletableFuture<UpgradeView> failed = upgrade;
        upgrade = null;
        failed.completeExceptionally(e);
    }

    // The link

    @Override
    public void link(EpollDomainSocketChannel channel, PacketUpgrade packets) {
        Primary opened = new Primary(
                channel, packets, loop, store, failures, this, LinkHello.own(Wire.keepsFlags(), version), maxPayload);
        loop.execute(failures.guard(() -> attach(opened)));
    }

    private void attach(Primary opened) {
        try {
            checkAllowed();
            if (link != null) {
                throw new EscrowException(Status.EADDRINUSE, "another escrowd follows already");
            }
            link = opened;
            pause.followed(true);
            to(State.FOLLOWED);
            opened.begin();
        } catch (EscrowException e) {
            opened.refuse(e.getMessage());
        }
    }

    private void to(State next) {
        state = next;
        step++;
    }

    /** Runs a task unless the next step has come by then. */
    private void unlessStepped(Duration within, Runnable task) {
        long current = step;
        loop.schedule(
                failures.guard(() -> {
                    if (current == step) {
                        task.run();
                    }
                }),
                within.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    @Override
    public void describe() {
        // The sockets and the session are told when nothing changes any more.
    }

    @Override
    public void take() {
        if (state != State.FOLLOWED) {
            link.fail("asked twice to take over");
            return;
        }
        Steps.reached("take");
        to(State.STOPPING);
        unlessStepped(patience, () -> link.fail("a client has kept this escrowd from stopping"));
        pause.begin(this::stopped);
    }

    private void stopped() {
        Steps.reached("stopped");
        CurrentSession session = sessions.current();
        if (session == null) {
            link.noSession(pause.withoutSession().toMillis());
        } else {
            link.session(session.state(), session.channel().fd());
        }
        tellSockets();
        to(State.COMMITTED);
        unlessStepped(STEP, () -> link.fail("the new escrowd was not prepared within " + STEP.toSeconds() + " s"));
        link.commit(service.save());
        Steps.reached("commit");
    }

    private void tellSockets() {
        EpollServerDomainSocketChannel current = acceptor.current();
        link.listening(
                true,
                new Listening(Listening.Role.CLIENTS, address.get(), socketFile.isOwned(), socketFile.isPublished()),
                current.fd());
        for (EpollServerDomainSocketChannel earlier : acceptor.earlier()) {
            link.listening(false, new Listening(Listening.Role.EARLIER_CLIENTS, "", false, false), earlier.fd());
        }
        link.listening(
                false,
                new Listening(Listening.Role.OPERATORS, "", true, control.isPublished()),
                control.socket().fd());
        if (control.metricsPort() != null) {
            link.listening(
                    false,
                    new Listening(Listening.Role.METRICS, "", true, true),
                    control.metricsPort().fd());
        }
    }

    @Override
    public void prepared() {
        if (state != State.COMMITTED) {
            link.fail("prepared although nothing was committed");
            return;
        }
        Steps.reached("prepared");
        to(State.RELEASED);
        socketFile.release();
        Steps.reached("released");
        link.released();
        unlessStepped(STEP, this::giveUp);
    }

    /** Ends a process that has come far, and does not go on. One that this process has not started is waited for. */
    private void giveUp() {
        if (started != null) {
            lastReason = "it stopped before it served";
            started.destroyForcibly();
        } else {
            eventLog.warn(
                    "the escrowd that takes over does not answer", link.peer().details());
        }
    }

    @Override
    public void serving() {
        if (state != State.RELEASED) {
            link.fail("serving although the lock was not released");
            return;
        }
        handedOver(link.peer().pid(), link.program());
    }

    private void handedOver(int pid, String program) {
        to(State.OVER);
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("pid", pid);
        details.put("version", program);
        details.put("slots", store.slots());
        details.put("session", sessions.current() != null);
        eventLog.info("another escrowd serves now", details);
        service.handedOver();
        if (upgrade != null) {
            upgrade.complete(
                    new UpgradeView(pid, program, ProcessHandle.current().pid()));
        }
        successor.complete(pid);
    }

    @Override
    public void closed(String reason) {
        State before = state;
        if (before == State.OVER) {
            return;
        }
        Primary lost = link;
        link = null;
        pause.followed(false);
        lastReason = reason;
        to(State.ALONE);
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("reason", reason);
        details.put("step", before.name());
        eventLog.warn("not taken over", details);
        if (before == State.RELEASED) {
            takeBack(lost.peer().pid(), lost.program());
        } else if (before != State.FOLLOWED) {
            pause.end();
        }
    }

    /** Goes on when the lock is free, unless the other process serves in spite of a link that is lost. */
    private void takeBack(int pid, String program) {
        if (socketFile.tryClaim()) {
            CurrentSession session = sessions.current();
            socketFile.holder(
                    session == null ? 0 : session.sessionRecord().peer().pid());
            pause.end();
        } else if (socketFile.isHolderAnother()) {
            handedOver(pid, program);
        } else {
            loop.schedule(failures.guard(() -> takeBack(pid, program)), LOOK_MILLIS, TimeUnit.MILLISECONDS);
        }
    }
}
