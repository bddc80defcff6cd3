package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.PacketUpgrade;
import io.escrow.codec.Wire;
import io.escrow.control.StandbyView;
import io.escrow.control.UpgradeView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.SessionTimeouts;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.control.Successors;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.follow.LinkHello;
import io.escrow.daemon.follow.Primary;
import io.escrow.daemon.follow.PrimaryHost;
import io.escrow.daemon.follow.PrimaryLimits;
import io.escrow.daemon.follow.Steps;
import io.escrow.daemon.socket.SocketFile;
import io.escrow.daemon.store.Store;
import io.escrow.internal.EventLoops;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets another daemon take the place of this one. At each step until the other one serves, this one can go on: it holds
 * everything until then. The lock on the lock file decides who serves.
 */
final class Succession implements Successors {

    private static final Logger logger = LoggerFactory.getLogger(Succession.class);
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
    private final Sessions sessions;
    private final Pause pause;
    private final SocketFile socketFile;
    private final SocketList sockets;
    private final ControlService service;
    private final EventLog eventLog;
    private final FailureDetector failures;
    private final DaemonOptions options;
    private final String version;
    private final Duration patience;
    private final StandbyLink standby;
    private final UpgradeCommand upgrade;
    private final EndHandover handover = new EndHandover();
    private final CompletableFuture<Integer> successor = new CompletableFuture<>();
    private State state = State.ALONE;
    private long step;
    private Primary link;
    private boolean sessionGoesOn = true;
    private volatile boolean left;

    Succession(
            EventLoop loop,
            Store store,
            Sessions sessions,
            Pause pause,
            SocketFile socketFile,
            SocketList sockets,
            ControlService service,
            EventLog eventLog,
            FailureDetector failures,
            DaemonOptions options,
            String version,
            Executor background,
            Mirror mirror) {
        this.loop = loop;
        this.store = store;
        this.sessions = sessions;
        this.pause = pause;
        this.socketFile = socketFile;
        this.sockets = sockets;
        this.service = service;
        this.eventLog = eventLog;
        this.failures = failures;
        this.options = options;
        this.version = version;
        // A client that keeps the daemon from stopping is dropped after these times.
        SessionTimeouts timeouts = options.timeouts();
        this.patience =
                timeouts.stall().plus(timeouts.write()).plus(timeouts.hello()).plus(STEP);
        this.standby = new StandbyLink(loop, eventLog, failures, options.standby(), mirror, pause, service, sockets);
        this.upgrade = new UpgradeCommand(loop, eventLog, failures, background, patience.plus(STEP));
    }

    /** Allows it. */
    void allow(SuccessorStarter how) {
        loop.execute(() -> upgrade.allow(how));
    }

    /** Complains as long as no process stands by. */
    void expectStandby() {
        loop.execute(failures.guard(standby::expect));
    }

    /** Returns the status of the process that stands by; {@code null} if there is none, and none is expected. */
    StandbyView standby() {
        return standby.view();
    }

    /** Completed with the number of the process that serves now. */
    CompletableFuture<Integer> successor() {
        return successor;
    }

    @Override
    public CompletableFuture<UpgradeView> upgrade(Path jar) {
        return EventLoops.call(loop, () -> upgrade.begin(jar)).thenCompose(begun -> begun);
    }

    // The end of this daemon

    /** Hands over to the process that stands by. Returns whether it serves then, or will when this process ends. */
    boolean handOver() {
        Duration within = options.standby().handover();
        loop.execute(failures.guard(() -> {
            handover.begin();
            if (state == State.FOLLOWED && link.isInStep()) {
                link.askToTakeOver();
            } else if (state == State.ALONE || state == State.FOLLOWED || state == State.OVER) {
                handover.done(state == State.OVER);
            }
            // Or another one is about to take over already.
            loop.schedule(failures.guard(this::leave), within.toMillis(), TimeUnit.MILLISECONDS);
        }));
        return handover.await(within.plus(STEP));
    }

    /** Ends without a word, as if this process were killed: the other one serves then. */
    private void leave() {
        if (handover.isDone() || link == null) {
            return;
        }
        if (link.isInStep()) {
            left = true;
            link.leave();
            to(State.OVER);
        }
        handover.done(left);
    }

    /** Returns whether everything is left to another process. */
    boolean isLeft() {
        return left;
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
        Host host = new Host();
        host.opened = new Primary(
                channel,
                packets,
                loop,
                store,
                failures,
                host,
                LinkHello.own(Wire.keepsFlags(), options.descriptorBatches(), version)
                        .with(LinkHello.STAYS),
                new PrimaryLimits(options.limits(), options.storeLimits()),
                options.standby());
        channel.config().setAutoRead(true);
    }

    private void greeted(Primary opened) throws EscrowException {
        upgrade.checkAllowed();
        boolean stays = opened.staying() != null;
        if (!stays && state == State.FOLLOWED) {
            standby.dismiss("another escrowd takes over");
        }
        if (link != null) {
            throw new EscrowException(Status.EADDRINUSE, "another escrowd follows already");
        }
        if (stays && (upgrade.isUnderWay() || handover.isBegun())) {
            throw new EscrowException(Status.EADDRINUSE, "another escrowd is about to take over");
        }
        link = opened;
        to(State.FOLLOWED);
        if (stays) {
            standby.set(opened);
        } else {
            pause.followed(true);
        }
    }

    /** Sends the process that stands by the new sockets. Called by any thread. */
    @Override
    public void socketsChanged() {
        loop.execute(failures.guard(standby::socketsChanged));
    }

    /** Does the same. Called on the event loop. */
    void socketsChangedNow() {
        standby.socketsChanged();
    }

    /** Has the process that stands by begin again. Called by any thread. */
    void restartStandby() {
        loop.execute(failures.guard(() -> standby.dismiss("the socket or the lock file was replaced")));
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

    private void take() {
        if (state != State.FOLLOWED) {
            link.fail("asked twice to take over");
            return;
        }
        Steps.reached("take");
        to(State.STOPPING);
        standby.takesOver();
        if (!handover.isBegun()) {
            unlessStepped(patience, () -> link.fail("a client has kept this escrowd from stopping"));
        }
        pause.begin(this::stopped);
    }

    private void stopped() {
        if (state != State.STOPPING) {
            return; // Everything is left to the other process.
        }
        Steps.reached("stopped");
        CurrentSession session = sessions.current();
        if (session == null) {
            link.noSession(pause.withoutSession().toMillis());
        } else {
            sessionGoesOn = link.session(session.state(), session.channel().fd());
        }
        sockets.tell(link);
        to(State.COMMITTED);
        unlessStepped(STEP, () -> link.fail("the new escrowd was not prepared within " + STEP.toSeconds() + " s"));
        link.commit(service.save(), () -> Steps.reached("commit"));
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
        if (!upgrade.end("it stopped before it served")) {
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
        details.put("session", sessions.current() != null && sessionGoesOn);
        eventLog.info("another escrowd serves now", details);
        service.handedOver();
        upgrade.succeeded(pid, program);
        handover.done(true);
        successor.complete(pid);
    }

    private void closed(Primary lost, String reason) {
        State before = state;
        if (before == State.OVER || lost != link) {
            return;
        }
        link = null;
        if (lost.staying() == null) {
            pause.followed(false);
            upgrade.linkLost(reason);
        } else {
            standby.set(null);
        }
        to(State.ALONE);
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("reason", reason);
        details.put("step", before.name());
        details.putAll(lost.peer().details());
        eventLog.warn(lost.staying() == null ? "not taken over" : "standby lost", details);
        if (before == State.RELEASED) {
            takeBack(lost.peer().pid(), lost.program());
            return;
        }
        if (before != State.FOLLOWED) {
            pause.end();
        }
        notHandedOver();
    }

    private void notHandedOver() {
        if (handover.isBegun()) {
            handover.done(false);
        }
    }

    /** Goes on when the lock is free, unless the other process serves in spite of a link that is lost. */
    private void takeBack(int pid, String program) {
        if (isClaimed()) {
            CurrentSession session = sessions.current();
            socketFile.holder(
                    session == null ? 0 : session.sessionRecord().peer().pid());
            pause.end();
            notHandedOver();
        } else if (socketFile.isHolderAnother()) {
            handedOver(pid, program);
        } else {
            loop.schedule(failures.guard(() -> takeBack(pid, program)), LOOK_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    /** Returns whether this daemon has the lock. If the kernel can't say, it is asked again. */
    private boolean isClaimed() {
        try {
            return socketFile.tryClaim();
        } catch (EscrowException e) {
            logger.atWarn().setCause(e).log("the lock can't be taken back yet");
            return false;
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
            // A successor is told when nothing changes any more.
            if (opened.staying() != null) {
                standby.describe();
            }
        }

        @Override
        public void mirrored() {
            standby.mirrored();
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
