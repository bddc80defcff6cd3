package io.escrow.daemon;

import io.escrow.Limits;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.Tracer;
import io.escrow.codec.Wire;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.control.ControlService;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.events.Statistics;
import io.escrow.daemon.follow.SessionState;
import io.escrow.daemon.kernel.DescriptorCloser;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.OwnConnections;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.socket.AccessCheck;
import io.escrow.daemon.socket.SocketFile;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.UnclaimedSlots;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.time.Duration;

/** Begins sessions, one at a time, and knows the one that is on. Used on the daemon's event loop. */
final class Sessions {

    private final DaemonOptions options;
    private final AccessCheck access;
    private final SocketFile socketFile;
    private final Store store;
    private final UnclaimedSlots unclaimed;
    private final ControlService service;
    private final EventLog eventLog;
    private final HangupDetector hangups;
    private final DescriptorCloser closer;
    private final FailureDetector failures;
    private final Mirror mirror;
    private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    private CurrentSession current;
    private volatile boolean over;

    Sessions(
            DaemonOptions options,
            AccessCheck access,
            SocketFile socketFile,
            Store store,
            UnclaimedSlots unclaimed,
            ControlService service,
            EventLog eventLog,
            HangupDetector hangups,
            DescriptorCloser closer,
            FailureDetector failures,
            Mirror mirror) {
        this.options = options;
        this.access = access;
        this.socketFile = socketFile;
        this.store = store;
        this.unclaimed = unclaimed;
        this.service = service;
        this.eventLog = eventLog;
        this.hangups = hangups;
        this.closer = closer;
        this.failures = failures;
        this.mirror = mirror;
    }

    /** Begins a session on a connection that has not read anything. */
    void begin(EpollDomainSocketChannel channel) {
        Wire wire = prepare(channel, options.limits());
        PeerIdentity peer = PeerIdentity.of(channel);
        if (!access.allows(peer)) {
            // At once, without reading anything: a client without access must not delay the others.
            channel.config().setAutoRead(false);
            channel.eventLoop().execute(() -> refuse(channel, peer));
            return;
        }
        unclaimed.stop();
        mirror.begun(serve(channel, wire, peer, options.limits()));
        socketFile.holder(peer.pid());
    }

    /** Goes on with a session that another daemon has begun. */
    void resume(EpollDomainSocketChannel channel, SessionState state) {
        Wire wire = prepare(channel, state.limits());
        if (state.batches()) {
            if (!wire.canUseBatches()) {
                channel.close(); // Its client connects again.
                return;
            }
            wire.useBatches();
        }
        CurrentSession session = serve(channel, wire, PeerIdentity.of(channel), state.limits());
        session.session().resumed(state.greeted(), state.keepsFlags(), state.batches());
        session.watchdog().resumed(state.greeted());
        session.sessionRecord()
                .resumed(
                        state.greeted(),
                        Duration.ofMillis(state.millis()),
                        state.queuedMillis() < 0 ? null : Duration.ofMillis(state.queuedMillis()),
                        state.requests());
        mirror.begun(session);
    }

    private Wire prepare(EpollDomainSocketChannel channel, Limits limits) {
        channels.add(channel);
        // Bounds the answers that are not sent, which may hold the last reference to a descriptor, to those of one
        // packet.
        channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(1, 1));
        // When a client has gone, its requests are still carried out, although they can't be answered.
        channel.config().setAutoClose(false);
        Wire wire = Wire.install(channel, true, limits, closer);
        if (options.verbose()) {
            channel.pipeline().addLast(new Tracer(System.err));
        }
        return wire;
    }

    private CurrentSession serve(EpollDomainSocketChannel channel, Wire wire, PeerIdentity peer, Limits limits) {
        SessionRecord sessionRecord = new SessionRecord(eventLog, channel, peer);
        service.setSession(sessionRecord);
        channel.closeFuture()
                .addListener(f -> failures.guard(() -> {
                            if (over) {
                                return;
                            }
                            socketFile.holder(0);
                            service.setSession(null);
                            current = null;
                            sessionRecord.ended();
                            unclaimed.start();
                            mirror.ended();
                        })
                        .run());
        SessionWatchdog watchdog = new SessionWatchdog(options.timeouts(), wire::received);
        Session session = new Session(
                store,
                limits,
                hangups,
                new OwnConnections(channel),
                sessionRecord,
                failures,
                () -> useBatches(wire),
                mirror::changed);
        HeldAnswers answers = new HeldAnswers(mirror);
        current = new CurrentSession(channel, wire, session, watchdog, sessionRecord, answers::isEmpty, limits);
        wire.beforeRead(mirror::dirty);
        channel.pipeline()
                .addLast(
                        answers,
                        watchdog,
                        new ClosingPace(store, options.storeLimits().descriptors(), closer),
                        session);
        return current;
    }

    private boolean useBatches(Wire wire) {
        boolean can = options.descriptorBatches() && wire.canUseBatches();
        if (can) {
            wire.useBatches();
        }
        return can;
    }

    private void refuse(EpollDomainSocketChannel channel, PeerIdentity peer) {
        eventLog.statistics().happened(Statistics.Incident.REFUSED, 1);
        eventLog.warn("client refused", peer.details());
        channel.writeAndFlush(new Frame.Reply(
                        Status.EACCES, peer + ": no access; see --allow-user and --allow-group of escrowd"))
                .addListener(ChannelFutureListener.CLOSE);
    }

    /** Returns the session that is on; {@code null} if there is none. */
    CurrentSession current() {
        return current;
    }

    /** Returns whether no client is connected, not even one that is refused. */
    boolean isEmpty() {
        return channels.isEmpty();
    }

    /** Closes the connection of a session that goes on in another process. Called by any thread. */
    void forget() {
        over = true;
        close();
    }

    /** Ends the session. Called by any thread; returns when that is done. */
    void close() {
        // An event loop group that is shut down without a quiet period may leave its channels open.
        channels.close().syncUninterruptibly();
    }
}
