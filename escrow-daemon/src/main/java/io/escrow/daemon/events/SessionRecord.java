package io.escrow.daemon.events;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.kernel.ProgramNames;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Knows whose session is on, since when, and what was asked in it. Used on the daemon's event loop only. */
public final class SessionRecord {

    /** The longest wait that is believed: a client may say what it likes. */
    private static final long LONGEST_WAIT_MILLIS = TimeUnit.DAYS.toMillis(7);

    private final EventLog journal;
    private final Channel channel;
    private final PeerIdentity peer;
    private final String program;
    private final long beganNanos = System.nanoTime();
    private Duration queued;
    private boolean greeted;
    private long requests;
    private EscrowException failure;

    public SessionRecord(EventLog journal, Channel channel, PeerIdentity peer) {
        this.journal = journal;
        this.channel = channel;
        this.peer = peer;
        this.program = ProgramNames.name(peer.pid());
    }

    /**
     * Notes that the client has greeted.
     *
     * @param connectedAt when it connected as it says, in milliseconds since 1970; 0 if it does not say
     */
    public void greeted(long connectedAt) {
        greeted = true;
        long waited = System.currentTimeMillis() - connectedAt;
        if (connectedAt != 0 && waited <= LONGEST_WAIT_MILLIS) {
            // Not the time until the greeting was read: that is the client's own, if it is slow to greet.
            queued = Duration.ofMillis(Math.max(0, waited)).minus(lasted());
            queued = queued.isNegative() ? Duration.ZERO : queued;
            journal.statistics().queued(seconds(queued));
        }
        journal.statistics().happened(Statistics.Incident.SESSION, 1);
        Map<String, Object> details = details();
        if (queued != null) {
            details.put("queued_seconds", seconds(queued));
        }
        journal.info("session began", details);
    }

    /** Counts a request that was carried out, or refused. */
    public void answered(Frame request, Frame answer) {
        requests++;
        journal.statistics().answered(request, answer);
    }

    /** Notes why the daemon ends the session. */
    public void failed(Status status, String reason) {
        failure = new EscrowException(status, reason);
        if (status == Status.ETIMEDOUT) {
            journal.statistics().happened(Statistics.Incident.TIMED_OUT, 1);
        }
    }

    /** Notes that the session is over. */
    public void ended() {
        Map<String, Object> details = details();
        details.put("requests", requests);
        details.put("seconds", seconds(lasted()));
        if (greeted) {
            journal.statistics().lasted(seconds(lasted()));
        }
        if (failure != null) {
            details.put("status", failure.status());
            details.put("reason", failure.text());
            journal.warn("session ended", details);
        } else if (greeted) {
            journal.info("session ended", details);
        }
    }

    private Map<String, Object> details() {
        Map<String, Object> details = new LinkedHashMap<>(peer.details());
        details.put("program", program);
        return details;
    }

    private static double seconds(Duration time) {
        return time.toMillis() / 1e3;
    }

    public Channel channel() {
        return channel;
    }

    public PeerIdentity peer() {
        return peer;
    }

    public String program() {
        return program;
    }

    /** Returns for how long the session has been on. */
    public Duration lasted() {
        return Duration.ofNanos(System.nanoTime() - beganNanos);
    }

    /** Returns how long the client has waited in the queue; {@code null} if it is not known. */
    public Duration queued() {
        return queued;
    }

    /** Returns how much was asked for. */
    public long requests() {
        return requests;
    }
}
