package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.PacketUpgrade;
import io.escrow.codec.Wire;
import io.escrow.control.StandbyView;
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
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets another daemon take the place of this one. At each step until the other one serves, this one can go on: it holds
 * everything until then. The lock on the lock file decides who serves.
 */
final class Succession implements Successors {

    private static final Duration STEP = Duration.ofSeconds(10);
    /** How long the end of this daemon may wait for a client in the middle of a packet. */
    private static final Duration HANDOVER = Duration.ofSeconds(3);

    private static final long LOOK_MILLIS = 5;
    private static final Logger logger = LoggerFactory.getLogger(Succession.class);

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
    private final Mirror mirror;
    private final StandbyWatch standbyWatch;
    private final CompletableFuture<Integer> successor = new CompletableFuture<>();
    private State state = State.ALONE;
    private long step;
    private Primary link;
    private SuccessorStarter starter;
    private CompletableFuture<UpgradeView> upgrade;
    private Process started;
    private String lastReason = "";
    private CompletableFuture<Boolean> handover;
    private volatile boolean left;

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
            Executor background,
            Mirror mirror) {
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
        this.mirror = mirror;
        this.standbyWatch = new StandbyWatch(loop, eventLog, failures, this::tellFigures);
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

    /** Complains as long as no process stands by. */
    void expectStandby() {
        loop.execute(failures.guard(standbyWatch::expect));
    }

    /** Returns the status of the process that stands by; {@code null} if there is none, and none is expected. */
    StandbyView standby() {
        return standbyWatch.view();
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

    // The end of this daemon

    /** Hands over to the process that stands by. Returns whether it serves then, or will when this process ends. */
    boolean handOver() {
        CompletableFuture<Boolean> asked = EventLoops.call(loop, () -> {
                    handover = new CompletableFuture<>();
                    if (state == State.FOLLOWED && link.isInStep()) {
                        link.askToTakeOver();
                        loop.schedule(failures.guard(this::leave), HANDOVER.toMillis(), TimeUnit.MILLISECONDS);
                    } else {
                        handover.complete(state == State.OVER);
                    }
                    return handover;
                })
                .thenCompose(begun -> begun);
        try {
            return asked.get(2 * HANDOVER.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            logger.atWarn().setCause(e).log("not handed over");
            return false;
        }
    }

    /** Ends without a word, as if this process were killed: the other one serves then. */
    private void leave() {
        if (handover.isDone()) {
            return;
        }
        left = link != null && (state == State.FOLLOWED || state == State.STOPPING) && link.isInStep();
        if (left) {
            link.leave();
            to(State.OVER);
        }
        handover.complete(left || state == State.OVER);
    }

    /** Returns whether everything is left to another process. */
    boolean isLeft() {
        return left;
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
        // To the loop that changes the slots: each change waits for the other daemon. Nothing is read on the way.
        channel.config().setAutoRead(false);
        channel.deregister()
                .addListener(f -> loop.register(channel).addListener(registered -> {
                    if (registered.isSuccess()) {
                        failures.guard(() -> open(channel, packets)).run();
                    }
                }));
    }

    private void open(EpollDomainSocketChannel channel, PacketUpgrade packets) {
        LinkHello own = LinkHello.own(Wire.keepsFlags(), version).with(LinkHello.STAYS);
        Host host = new Host();
        host.opened = new Primary(channel, packets, loop, store, failures, host, own, maxPayload);
        channel.config().setAutoRead(true);
    }

    private void greeted(Primary opened) throws EscrowException {
        checkAllowed();
        if (link != null && link.stays() && !opened.stays() && state == State.FOLLOWED) {
            link.dismiss("another escrowd takes over");
        }
        if (link != null) {
            throw new EscrowException(Status.EADDRINUSE, "another escrowd follows already");
        }
        if (opened.stays() && (upgrade != null || handover != null)) {
            throw new EscrowException(Status.EADDRINUSE, "another escrowd is about to take over");
        }
        link = opened;
        to(State.FOLLOWED);
        if (opened.stays()) {
            mirror.link(opened);
            standbyWatch.follows(opened);
            pause.stoodBy(opened.peer().pid());
        } else {
            pause.followed(true);
        }
    }

    private void mirrored() {
        mirror.settle();
        standbyWatch.look();
    }

    /** Tells the process that stands by what has been counted meanwhile. */
    private void tellFigures(String before, Consumer<String> told) {
        if (link != null && link.stays() && state == State.FOLLOWED) {
            String figures = service.save();
            if (!figures.equals(before)) {
                link.statistics(figures);
                mirror.changed();
                told.accept(figures);
            }
        }
    }

    /** Tells the process that stands by of new sockets. Called by any thread. */
    @Override
    public void socketsChanged() {
        loop.execute(failures.guard(this::socketsChangedNow));
    }

    /** Does the same. Called on the event loop. */
    void socketsChangedNow() {
        if (link != null && link.stays() && state == State.FOLLOWED) {
            tellSockets();
        }
    }

    /** Has the process that stands by begin again. Called by any thread. */
    void restartStandby() {
        loop.execute(failures.guard(() -> {
            if (link != null && link.stays() && state == State.FOLLOWED) {
                link.dismiss("the socket or the lock file was replaced");
            }
        }));
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

    private void describe() {
        // A successor is told when nothing changes any more.
        if (link.stays()) {
            tellSockets();
            if (!mirror.tellSession()) {
                link.noSession(pause.sinceSession().toMillis());
            }
        }
    }

    private void take() {
        if (state != State.FOLLOWED) {
            link.fail("asked twice to take over");
            return;
        }
        Steps.reached("take");
        to(State.STOPPING);
        if (handover == null) {
            unlessStepped(patience, () -> link.fail("a client has kept this escrowd from stopping"));
        }
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

    private void prepared() {
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

    private void serving() {
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
        if (handover != null) {
            handover.complete(true);
        }
        successor.complete(pid);
    }

    private void closed(Primary lost, String reason) {
        State before = state;
        if (before == State.OVER || lost != link) {
            return;
        }
        link = null;
        mirror.link(null);
        standbyWatch.follows(null);
        pause.followed(false);
        pause.stoodBy(0);
        lastReason = reason;
        to(State.ALONE);
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("reason", reason);
        details.put("step", before.name());
        details.putAll(lost.peer().details());
        eventLog.warn(lost.stays() ? "standby lost" : "not taken over", details);
        if (before == State.RELEASED) {
            takeBack(lost.peer().pid(), lost.program());
        } else if (before != State.FOLLOWED) {
            pause.end();
        }
        if (handover != null && before != State.RELEASED) {
            handover.complete(false);
        }
    }

    /** Goes on when the lock is free, unless the other process serves in spite of a link that is lost. */
    private void takeBack(int pid, String program) {
        if (socketFile.tryClaim()) {
            CurrentSession session = sessions.current();
            socketFile.holder(
                    session == null ? 0 : session.sessionRecord().peer().pid());
            pause.end();
            if (handover != null) {
                handover.complete(false);
            }
        } else if (socketFile.isHolderAnother()) {
            handedOver(pid, program);
        } else {
            loop.schedule(failures.guard(() -> takeBack(pid, program)), LOOK_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    /** What one link has this daemon do. */
    private final class Host implements PrimaryHost {

        private Primary opened;

        @Override
        public void greeted() throws EscrowException {
            Succession.this.greeted(opened);
        }

        @Override
        public void describe() {
            Succession.this.describe();
        }

        @Override
        public void mirrored() {
            Succession.this.mirrored();
        }

        @Override
        public void take() {
            Succession.this.take();
        }

        @Override
        public void prepared() {
            Succession.this.prepared();
        }

        @Override
        public void serving() {
            Succession.this.serving();
        }

        @Override
        public void closed(String reason) {
            Succession.this.closed(opened, reason);
        }
    }
}
