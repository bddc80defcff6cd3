package io.escrow.daemon;

import io.escrow.control.StandbyView;
import io.escrow.daemon.config.StandbyOptions;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.follow.Primary;
import io.netty.channel.EventLoop;
import java.util.function.Consumer;

/** Keeps the process that stands by, if there is one, informed about all but the slots. Used on the daemon's event loop. */
final class StandbyLink {

    private final Mirror mirror;
    private final Pause pause;
    private final ControlService service;
    private final SocketList sockets;
    private final StandbyWatch watch;
    private Primary link;
    private boolean takesOver;

    /**
     * Creates an object that knows of no process.
     *
     * @param options say when it is logged that none stands by, if one is expected
     */
    StandbyLink(
            EventLoop loop,
            EventLog eventLog,
            FailureDetector failures,
            StandbyOptions options,
            Mirror mirror,
            Pause pause,
            ControlService service,
            SocketList sockets) {
        this.mirror = mirror;
        this.pause = pause;
        this.service = service;
        this.sockets = sockets;
        this.watch = new StandbyWatch(loop, eventLog, failures, options, this::tellFigures);
    }

    /** Complains as long as no process stands by. */
    void expect() {
        watch.expect();
    }

    /** Sets the link to a process that stands by, {@code null} for none. */
    void set(Primary standby) {
        link = standby;
        takesOver = false;
        mirror.link(standby);
        watch.follows(standby);
        pause.stoodBy(standby == null ? 0 : standby.peer().pid());
    }

    /** Sends a process that has begun to stand by what is there besides the slots. */
    void describe() {
        sockets.tell(link);
        if (!mirror.sendSession()) {
            link.noSession(pause.sinceSession().toMillis());
        }
    }

    /** Notes that the process takes over: it is told everything when nothing changes any more. */
    void takesOver() {
        takesOver = true;
    }

    /** Notes that everything was sent, or carried out, that there was to send. */
    void mirrored() {
        mirror.settle();
        watch.look();
    }

    private void tellFigures(String before, Consumer<String> told) {
        if (link != null && !takesOver) {
            String figures = service.save();
            if (!figures.equals(before)) {
                link.statistics(figures);
                mirror.changed();
                told.accept(figures);
            }
        }
    }

    /** Sends the process the sockets that are used from now on. */
    void socketsChanged() {
        if (link != null && !takesOver) {
            sockets.tell(link);
        }
    }

    /** Leaves the process behind, unless it takes over. */
    void dismiss(String reason) {
        if (link != null && !takesOver) {
            link.dismiss(reason);
        }
    }

    /** Returns the status; {@code null} if no process stands by, and none is expected. */
    StandbyView view() {
        return watch.view();
    }
}
