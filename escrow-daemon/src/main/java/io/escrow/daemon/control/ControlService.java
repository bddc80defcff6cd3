package io.escrow.daemon.control;

import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.control.Json;
import io.escrow.control.SessionView;
import io.escrow.control.StandbyView;
import io.escrow.control.StatusView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.events.DurationHistogram;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.events.LogQueue;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.events.Statistics;
import io.escrow.daemon.kernel.OpenFiles;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.store.RetainedSlot;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoredSlot;
import io.escrow.internal.EventLoops;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Carries out the requests of operators on the daemon's event loop, in short tasks. May be called by any thread.
 * Futures fail with an {@link EscrowException}.
 */
public final class ControlService {

    /**
     * The number of slots that are retained at a time, for all operators together. The daemon's reserve of descriptors has room for their
     * descriptors if the slots are emptied meanwhile.
     */
    static final int PAGE = 16;

    /**
     * What has happened since a request.
     *
     * @param events the events after a number, as far as they are kept
     * @param last the number of the latest event
     * @param changes the changes of the slots of each tag since the start
     */
    record News(List<EventLog.Event> events, long last, Map<Integer, Statistics.Changes> changes) {}

    /**
     * The values of the metrics.
     *
     * @param status the status of the daemon
     * @param queueTimes how long clients have waited for their sessions
     * @param sessionTimes how long sessions lasted
     */
    record Figures(StatusView status, DurationHistogram.Counted queueTimes, DurationHistogram.Counted sessionTimes) {}

    private final EventLoop loop;
    private final DaemonOptions options;
    private final Store store;
    private final EventLog eventLog;
    private final FailureDetector failures;
    private final String version;
    private final Instant started = Instant.now();
    private final long startedNanos = System.nanoTime();
    private SessionRecord session;
    private Supplier<StandbyView> standby = () -> null;
    private boolean paused;
    private boolean over;
    /** Done when no slots are retained. */
    private CompletableFuture<Void> turn = CompletableFuture.completedFuture(null);

    public ControlService(
            EventLoop loop,
            DaemonOptions options,
            Store store,
            EventLog eventLog,
            FailureDetector failures,
            String version) {
        this.loop = loop;
        this.options = options;
        this.store = store;
        this.eventLog = eventLog;
        this.failures = failures;
        this.version = version;
    }

    /** Sets the current session, {@code null} for none. Called on the daemon's event loop. */
    public void setSession(SessionRecord current) {
        session = current;
    }

    /** Sets what returns the status of the standby, on the daemon's event loop; {@code null} if none is wanted or there. */
    public void standby(Supplier<StandbyView> status) {
        standby = status;
    }

    /** Sets whether operators may change anything: not while another daemon takes over. Called on the event loop. */
    public void pause(boolean pause) {
        paused = pause;
    }

    /** Notes that another daemon serves now. Called on the event loop. */
    public void handedOver() {
        over = true;
    }

    /** Adds what another daemon has counted, when this one goes on in its place. Called on the event loop. */
    public void restore(String statistics) {
        eventLog.statistics().restore(Json.read(statistics, Statistics.Saved.class));
    }

    /** Returns all counters as JSON. Called on the event loop. */
    public String save() {
        return Json.write(eventLog.statistics().save());
    }

    private void checkChangeable() throws EscrowException {
        if (paused) {
            throw new EscrowException(Status.ECONNRESET, "another escrowd is taking over: try again");
        }
    }

    /**
     * Returns the status of the daemon.
     *
     * @param waiting the number of clients that wait in the queue
     * @param openFiles the number of files that the process has open
     */
    CompletableFuture<StatusView> status(int waiting, OpenFiles openFiles) {
        return call(() -> statusNow(waiting, openFiles));
    }

    CompletableFuture<Figures> figures(int waiting, OpenFiles openFiles) {
        return call(() -> new Figures(
                statusNow(waiting, openFiles),
                eventLog.statistics().queueTimes(),
                eventLog.statistics().sessionTimes()));
    }

    private StatusView statusNow(int waiting, OpenFiles openFiles) throws EscrowException {
        StoreLimits limits = options.storeLimits();
        return new StatusView(
                version,
                ProcessHandle.current().pid(),
                options.path().toString(),
                started.toString(),
                Duration.ofNanos(System.nanoTime() - startedNanos).toMillis() / 1e3,
                session(),
                waiting,
                store.slots(),
                limits.slots(),
                store.bytes(),
                limits.payloadBytes(),
                store.descriptors(),
                limits.descriptors(),
                openFiles.open(),
                openFiles.allowed(),
                tags(),
                counters(),
                standby.get());
    }

    private SessionView session() {
        if (session == null) {
            return null;
        }
        Duration queued = session.queued();
        return new SessionView(
                session.peer().pid(),
                session.peer().uid(),
                session.peer().gid(),
                session.program().isEmpty() ? null : session.program(),
                session.lasted().toMillis() / 1e3,
                queued == null ? null : queued.toMillis() / 1e3,
                session.requests());
    }

    private List<StatusView.TagView> tags() throws EscrowException {
        List<StatusView.TagView> tags = new ArrayList<>();
        for (int tag = 0; tag < store.tags(); tag++) {
            int used = store.slots(tag);
            if (used > 0) {
                tags.add(new StatusView.TagView(tag, used, store.descriptors(tag), store.bytes(tag)));
            }
        }
        return tags;
    }

    private StatusView.Counters counters() {
        return new StatusView.Counters(
                eventLog.statistics().count(Statistics.Incident.SESSION),
                eventLog.statistics().count(Statistics.Incident.REFUSED),
                eventLog.statistics().count(Statistics.Incident.TIMED_OUT),
                eventLog.statistics().count(Statistics.Incident.EVICTED),
                eventLog.statistics().count(Statistics.Incident.EXPIRED),
                eventLog.statistics().count(Statistics.Incident.REAPED),
                eventLog.statistics().count(Statistics.Incident.REMOVED),
                LogQueue.dropped(),
                eventLog.statistics().requests());
    }

    /**
     * Retains some slots, in order.
     *
     * @param from the first slot that is wanted
     * @param lastTag the last tag that is wanted
     * @param executor runs the taker
     * @param taker gets at most {@link #PAGE} slots, which it must close; none when there are no more, or when the
     *     daemon is stopping
     */
    void page(SlotKey from, int lastTag, Executor executor, Consumer<List<RetainedSlot>> taker) {
        hold(() -> call(() -> pageNow(from, lastTag)).exceptionally(failure -> List.of()), executor, taker);
    }

    private List<RetainedSlot> pageNow(SlotKey from, int lastTag) throws EscrowException {
        List<RetainedSlot> held = new ArrayList<>(PAGE);
        int index = from.index();
        for (int tag = from.tag(); tag <= lastTag && held.size() < PAGE; tag++) {
            int ofTag = tag;
            store.visit(tag, index, PAGE - held.size(), (i, slot) -> held.add(RetainedSlot.of(ofTag, i, slot)));
            index = 0;
        }
        return held;
    }

    /**
     * Retains one slot.
     *
     * @param executor runs the taker
     * @param taker gets the slot, which it must close
     * @return a future that fails if the slot is empty
     */
    CompletableFuture<Void> slot(SlotKey key, Executor executor, Consumer<RetainedSlot> taker) {
        return hold(
                        () -> call(() -> List.of(RetainedSlot.of(key.tag(), key.index(), filled(key)))),
                        executor,
                        held -> taker.accept(held.get(0)))
                .thenAccept(held -> {});
    }

    /** Retains slots when those before are closed: all operators together have no more than one page. */
    private synchronized CompletableFuture<List<RetainedSlot>> hold(
            Supplier<CompletableFuture<List<RetainedSlot>>> slots,
            Executor executor,
            Consumer<List<RetainedSlot>> taker) {
        CompletableFuture<List<RetainedSlot>> retained = turn.thenCompose(nothing -> slots.get());
        turn = retained.thenCompose(held -> {
                    try {
                        return CompletableFuture.runAsync(failures.guard(() -> taker.accept(held)), executor);
                    } catch (RejectedExecutionException e) {
                        held.forEach(RetainedSlot::close);
                        return CompletableFuture.<Void>completedFuture(null);
                    }
                })
                .exceptionally(failure -> null);
        return retained;
    }

    private StoredSlot filled(SlotKey key) throws EscrowException {
        try {
            return store.get(key.tag(), key.index());
        } catch (EscrowException e) {
            throw e.status() == Status.ENOENT
                    ? new EscrowException(Status.ENOENT, "slot " + key.tag() + "/" + key.index() + " is empty", e)
                    : e;
        }
    }

    /**
     * Empties a slot for an operator.
     *
     * @param filling the filling that is meant; 0 for whatever the slot holds
     * @return a future that fails if the slot is empty, or was filled anew
     */
    CompletableFuture<SlotKey> remove(SlotKey key, long filling, PeerIdentity operator) {
        return call(() -> {
            checkChangeable();
            long held = filled(key).filling();
            if (filling != 0 && filling != held) {
                throw new EscrowException(
                        Status.ENOENT,
                        "slot " + key.tag() + "/" + key.index() + " was filled anew: it holds filling " + held
                                + " (expected: " + filling + ")");
            }
            store.delete(key.tag(), key.index());
            eventLog.statistics().happened(Statistics.Incident.REMOVED, 1);
            Map<String, Object> details = new LinkedHashMap<>();
            details.put("tag", key.tag());
            details.put("index", key.index());
            details.putAll(operator.details());
            eventLog.warn("slot removed by operator", details);
            return key;
        });
    }

    /** Ends the current session. */
    CompletableFuture<SessionView> evict(PeerIdentity operator) {
        return call(() -> {
            checkChangeable();
            if (session == null) {
                throw new EscrowException(Status.ENOENT, "there is no session");
            }
            SessionView evicted = session();
            eventLog.statistics().happened(Statistics.Incident.EVICTED, 1);
            Channel channel = session.channel();
            channel.pipeline()
                    .fireExceptionCaught(
                            new EscrowException(Status.ECANCELED, "ended by an operator (" + operator + ")"));
            // Whether or not the client reads the reason.
            channel.close();
            return evicted;
        });
    }

    /** Returns what has happened since the event with a number. */
    CompletableFuture<News> news(long since) {
        return call(() -> {
            if (over) {
                throw new EscrowException(Status.ECONNRESET, "another escrowd has taken over: ask it");
            }
            return new News(
                    eventLog.since(since),
                    eventLog.last(),
                    eventLog.statistics().changes());
        });
    }

    /** Returns the highest tag. */
    int lastTag() {
        return options.limits().tags() - 1;
    }

    private <T> CompletableFuture<T> call(Callable<T> task) {
        try {
            return EventLoops.call(loop, () -> {
                try {
                    return task.call();
                } catch (Error e) {
                    failures.check(e);
                    throw new IllegalStateException("a request of an operator failed", e);
                }
            });
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(new EscrowException(Status.ECONNRESET, "escrowd is stopping", e));
        }
    }

    /** Returns a task that does the same, and notices what the daemon can't survive. */
    Runnable guard(Runnable task) {
        return failures.guard(task);
    }

    /** Runs an action on an executor when an answer is there, or has failed. */
    <T> void whenDone(CompletableFuture<T> answer, Executor executor, BiConsumer<T, Throwable> action) {
        answer.whenCompleteAsync(
                (value, failure) ->
                        failures.guard(() -> action.accept(value, failure)).run(),
                executor);
    }
}
