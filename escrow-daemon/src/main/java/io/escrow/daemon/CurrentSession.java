package io.escrow.daemon;

import io.escrow.Limits;
import io.escrow.codec.Wire;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.follow.SessionState;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import java.util.function.BooleanSupplier;

/**
 * The session that is on. Used on the daemon's event loop only.
 *
 * @param channel its connection
 * @param wire reads its packets
 * @param session carries out its requests
 * @param watchdog ends it when its client hangs
 * @param sessionRecord records it
 * @param isAnswered returns whether no answer waits until a follower has what it is about
 * @param limits the limits that its client was told, or will be
 */
record CurrentSession(
        EpollDomainSocketChannel channel,
        Wire wire,
        Session session,
        SessionWatchdog watchdog,
        SessionRecord sessionRecord,
        BooleanSupplier isAnswered,
        Limits limits) {

    /** Returns whether the session is between two packets, and all answers are sent. */
    boolean isAtRest() {
        ChannelOutboundBuffer unsent = channel.unsafe().outboundBuffer();
        return wire.received() == 0
                && !session.isEnding()
                && isAnswered.getAsBoolean()
                && (unsent == null || unsent.totalPendingWriteBytes() == 0);
    }

    /** Lets nothing begin behind the packet that is under way. */
    void pause() {
        session.pause(true);
        watchdog.pause(true);
        if (wire.received() == 0) {
            channel.config().setAutoRead(false);
        }
    }

    /** Goes on. */
    void resume() {
        session.pause(false);
        watchdog.pause(false);
        if (!session.isEnding()) {
            channel.config().setAutoRead(true);
        }
    }

    SessionState state() {
        return new SessionState(
                session.isGreeted(),
                session.keepsFlags(),
                session.usesBatches(),
                sessionRecord.requests(),
                sessionRecord.lasted().toMillis(),
                sessionRecord.queued() == null ? -1 : sessionRecord.queued().toMillis(),
                limits);
    }
}
