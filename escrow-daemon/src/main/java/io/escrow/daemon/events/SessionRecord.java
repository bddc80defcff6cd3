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

/** Records a session: its client, its start, and its requests. Used on the daemon's event loop only. */
public final class SessionRecord {

    /** A longer wait is not believed: a client can claim any time. */
    private static final long LONGEST_WAIT_MILLIS = TimeUnit.DAYS.toMillis(7);

    private final EventLog eventLog;
    private final Channel channel;
    private final PeerIdentity peer;
    private final String program;
    private long beganNanos = System.nanoTime();
    private Duration queued;
    private boolean greeted;
    private long requests;
    private EscrowException failure;

    public SessionRecord(EventLog eventLog, Channel channel, PeerIdentity peer) {
        this.eventLog = eventLog;
        this.channel = channel;
        this.peer = peer;
        this.program = ProgramNames.name(peer.pid());
    }

    /**
     * Records the client's hello.
     *
     * @param connectedAt the time at which the client claims to have connected, in milliseconds since 1970; 0 if
     *     unknown
     */
    public void greeted(long connectedAt) {
        greeted = true;
        long waited = System.currentTimeMillis() - connectedAt;
        if (connectedAt != 0 && waited <= LONGEST_WAIT_MILLIS) {
            // Without the time from the start of the session to the hello, which only the client determines.
            queued = Duration.ofMillis(Math.max(0, waited)).minus(lasted());
            queued = queued.isNegative() ? Duration.ZERO : queued;
            eventLog.statistics().queued(seconds(queued));
        }
        eventLog.statistics().happened(Statistics.Incident.SESSION, 1);
        Map<String, Object> details = details();
        if (queued != null) {
            details.put("queued_seconds", seconds(queued));
        }
        eventLog.info("session began", details);
    }

    /**
     * Goes on with the record of a session that another daemon has begun.
     *
     * @param hasGreeted whether the client has greeted
     * @param lasted how long the session has lasted
     * @param waited how long the client had waited for it; {@code null} if unknown
     * @param answered the number of its requests
     */
    public void resumed(boolean hasGreeted, Duration lasted, Duration waited, long answered) {
        greeted = hasGreeted;
        beganNanos = System.nanoTime() - lasted.toNanos();
        queued = waited;
        requests = answered;
    }

    /** Counts a request that was carried out or refused. */
    public void answered(Frame request, Frame answer) {
        requests++;
        eventLog.statistics().answered(request, answer);
    }

    /** Records why the daemon ends the session. */
    public void failed(Status status, String reason) {
        failure = new EscrowException(status, reason);
        if (status == Status.ETIMEDOUT) {
            eventLog.statistics().happened(Statistics.Incident.TIMED_OUT, 1);
        }
    }

    /** Records the end of the session. */
    public void ended() {
        Map<String, Object> details = details();
        details.put("requests", requests);
        details.put("seconds", seconds(lasted()));
        if (greeted) {
            eventLog.statistics().lasted(seconds(lasted()));
        }
        if (failure != null) {
            details.put("status", failure.status());
            details.put("reason", failure.text());
            eventLog.warn("session ended", details);
        } else if (greeted) {
            eventLog.info("session ended", details);
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

    /** Returns how long the session has lasted. */
    public Duration lasted() {
        return Duration.ofNanos(System.nanoTime() - beganNanos);
    }

    /** Returns how long the client has waited in the queue; {@code null} if unknown. */
    public Duration queued() {
        return queued;
    }

    /** Returns the number of requests. */
    public long requests() {
        return requests;
    }
}
