package io.escrow.handover.connection;

import io.escrow.handover.protocol.PendingWork;
import io.netty.channel.Channel;
import java.time.Duration;

/**
 * Brings a connection to rest, where nothing is half-read or half-processed, and notices when it did not stay there. Lives
 * on the channel's event loop.
 */
final class Rest {

    private final Channel channel;
    private final MessageGate gate;
    private final ConnectionSaver saver;
    private final ReadPause pause;
    private String whyBusy;
    private long reachedMillis;
    private int begunBefore;

    /**
     * Brings the connection of a channel to rest whose pipeline is built.
     *
     * @param gate the gate of the connection; {@code null} if it has none
     * @param longestPause for how long at a time reading may stop while something is under way
     */
    Rest(Channel channel, MessageGate gate, ConnectionSaver saver, Duration longestPause) {
        this.pause = new ReadPause(longestPause);
        this.channel = channel;
        this.gate = gate;
        this.saver = saver;
    }

    /** Lets no new message begin. */
    void shut() {
        if (gate != null) {
            gate.shut();
        }
    }

    /** Returns whether nothing is under way. What is, is to end before more comes in, if it needs nothing more. */
    boolean tryToReach() {
        // Before it is asked whether all work is done: then none of what is counted here can be under way.
        int begun = PendingWork.begun(channel);
        if (!isReached()) {
            return false;
        }
        reachedMillis = System.currentTimeMillis();
        begunBefore = begun;
        return true;
    }

    private boolean isReached() {
        whyBusy = saver.whyBusy();
        if (whyBusy == null) {
            whyBusy = saver.whyWorking();
            if (whyBusy != null && gate == null) {
                pause.begin(channel.config());
            }
        }
        return whyBusy == null;
    }

    /** Ends the read that epoll waits for. Whether there is to be another one stays as the handlers have said. */
    void stopAutoRead() {
        if (channel.config().isAutoRead()) {
            channel.config().setAutoRead(false);
            channel.config().setAutoRead(true);
        }
    }

    /** Returns whether nothing is half-read or half-processed. */
    boolean isNow() {
        return saver.whyBusy() == null && saver.whyWorking() == null;
    }

    /** Returns whether nothing was begun since the connection came to rest. */
    boolean remains() {
        boolean worked = PendingWork.begun(channel) != begunBefore;
        return isNow() && !worked;
    }

    /** Notes why the connection, which goes on, was not at rest any more. */
    void broken() {
        if (isReached()) {
            whyBusy = "a piece of work was begun meanwhile";
        }
    }

    /** Goes on reading, and lets messages begin again. */
    void end() {
        pause.end(channel.config());
        if (gate != null) {
            gate.open();
        }
    }

    /** Returns why the connection did not come to rest when that was last tried, or was not at rest any more. */
    String whyBusy() {
        return whyBusy;
    }

    /** Returns when the connection came to rest, in milliseconds since 1970. */
    long reachedMillis() {
        return reachedMillis;
    }
}
