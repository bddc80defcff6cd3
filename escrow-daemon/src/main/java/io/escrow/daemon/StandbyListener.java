package io.escrow.daemon;

import io.netty.channel.EventLoop;
import java.util.function.Supplier;

/** Is told what happens while a process stands by. Called by the thread that stands by. */
public interface StandbyListener {

    /**
     * Notes that everything is there: the process would serve if the other one ended now.
     *
     * @param loop the event loop of the daemon that will serve. It ends when the daemon that is followed is lost
     * @param status returns what is there; called on the event loop only
     */
    void standingBy(EventLoop loop, Supplier<DaemonStatus> status);

    /**
     * Notes that nothing is followed. It is tried again until it succeeds.
     *
     * @param reason why; not told again as long as it is the same
     */
    void notStandingBy(String reason);
}
