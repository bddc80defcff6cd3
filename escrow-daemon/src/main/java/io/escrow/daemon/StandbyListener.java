package io.escrow.daemon;

/** Is told what happens while a process stands by. Called by the thread that stands by. */
public interface StandbyListener {

    /**
     * Notes that everything is there: the process would serve if the other one ended now.
     *
     * @param daemon the daemon that will serve, which does not yet; or another one, if it loses the daemon that it follows
     */
    void standingBy(EscrowDaemon daemon);

    /**
     * Notes that nothing is followed. It is tried again until it succeeds.
     *
     * @param reason why; not told again as long as it is the same
     */
    void notStandingBy(String reason);
}
