package io.escrow.daemon.control;

import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.control.SessionView;
import io.escrow.control.StatusView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.events.DurationHistogram;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.events.Statistics;
import io.escrow.daemon.kernel.OpenFiles;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.store.RetainedSlot;
import io.escrow.daemon.store.Store;
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
import java.util.function.Consumer;

/**
 * Does what operators ask for, on the daemon's event loop, a little at a time; may be called by any thread. A future that
 * fails, does so with an {@link EscrowException}, or because the daemon is being closed.
 */
public final class ControlService {

    /** So few slots are held at a time that the daemon's reserve of descriptors has room if they are emptied meanwhile. */
    static final int PAGE = 16;

    /**
     * Tells what has happened.
     *
     * @param events the events behind the number that was asked for, as far as they are kept
     * @param last the number of the latest event
     * @param changes what has become of the slots of each tag since the start
     */
    record News(List<EventLog.Event> events, long last, Map<Integer, Statistics.Changes> changes) {}

    /**
     * Tells what metrics need besides the status.
     *
     * @param status how the daemon is
     * @param queueTimes how long clients have waited for their turn
     * @param sessionTimes how long sessions were
     */
    record Figures(StatusView status, DurationHistogram.Counted queueTimes, DurationHistogram.Counted sessionTimes) {}

    private final EventLoop loop;
    private final DaemonOptions options;
    private final Store store;
    private final EventLog journal;
    private final String version;
    private final Instant started = Instant.now();
    private final long startedNanos = System.nanoTime();
    private SessionRecord visit;

    public ControlService(EventLoop loop, DaemonOptions options, Store store, EventLog journal, String version) {
        this.loop = loop;
        this.options = options;
        this.store = store;
        this.journal = journal;
        this.version = version;
    }

    /** Sets whose session is on, {@code null} for nobody's. Called on the daemon's event loop. */
    public void visit(SessionRecord current) {
        visit = current;
    }

    /**
     * Tells how the daemon is.
     *
     * @param waiting how many clients wait in the queue
     * @param openFiles the files that the process has open
     */
    CompletableFuture<StatusView> status(int waiting, OpenFiles openFiles) {
        return call(() -> statusNow(waiting, openFiles));
    }

    CompletableFuture<Figures> figures(int waiting, OpenFiles openFiles) {
        return call(() -> new Figures(
                statusNow(waiting, openFiles),
                journal.statistics().queueTimes(),
                journal.statistics().sessionTimes()));
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
                counters());
    }

    private SessionView session() {
        if (visit == null) {
            return null;
        }
        Duration queued = visit.queued();
        return new SessionView(
                visit.peer().pid(),
                visit.peer().uid(),
                visit.peer().gid(),
                visit.program().isEmpty() ? null : visit.program(),
                visit.lasted().toMillis() / 1e3,
                queued == null ? null : queued.toMillis() / 1e3,
                visit.requests());
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
                journal.statistics().count(Statistics.Incident.SESSION),
                journal.statistics().count(Statistics.Incident.REFUSED),
                journal.statistics().count(Statistics.Incident.TIMED_OUT),
                journal.statistics().count(Statistics.Incident.EVICTED),
                journal.statistics().count(Statistics.Incident.EXPIRED),
                journal.statistics().count(Statistics.Incident.REAPED),
                journal.statistics().count(Statistics.Incident.REMOVED),
                journal.statistics().requests());
    }

    /**
     * Holds on to some slots, in order.
     *
     * @param from where to begin
     * @param lastTag the last tag that is wanted
     * @param executor carries out what is done with them
     * @param taker is given at most {@link #PAGE} slots, which it closes; none when there are no more, or when the daemon
     *     is being stopped
     */
    void page(SlotKey from, int lastTag, Executor executor, Consumer<List<RetainedSlot>> taker) {
        CompletableFuture<List<RetainedSlot>> page = call(() -> {
            List<RetainedSlot> held = new ArrayList<>(PAGE);
            int index = from.index();
            for (int tag = from.tag(); tag <= lastTag && held.size() < PAGE; tag++) {
                int ofTag = tag;
                store.visit(tag, index, PAGE - held.size(), (i, slot) -> held.add(RetainedSlot.of(ofTag, i, slot)));
                index = 0;
            }
            return held;
        });
        hold(page.exceptionally(failure -> List.of()), executor, taker);
    }

    /**
     * Holds on to one slot.
     *
     * @param executor carries out what is done with it
     * @param taker is given the slot, which it closes
     * @return a future that fails if there is none
     */
    CompletableFuture<Void> slot(SlotKey key, Executor executor, Consumer<RetainedSlot> taker) {
        CompletableFuture<List<RetainedSlot>> slot =
                call(() -> List.of(RetainedSlot.of(key.tag(), key.index(), store.get(key.tag(), key.index()))));
        hold(slot, executor, held -> taker.accept(held.get(0)));
        return slot.thenAccept(held -> {});
    }

    private static void hold(
            CompletableFuture<List<RetainedSlot>> slots, Executor executor, Consumer<List<RetainedSlot>> taker) {
        slots.thenAccept(held -> {
            try {
                executor.execute(() -> taker.accept(held));
            } catch (RejectedExecutionException e) {
                held.forEach(RetainedSlot::close);
            }
        });
    }

    /** Empties a slot. */
    CompletableFuture<SlotKey> remove(SlotKey key, PeerIdentity operator) {
        return call(() -> {
            store.delete(key.tag(), key.index());
            journal.statistics().happened(Statistics.Incident.REMOVED, 1);
            Map<String, Object> details = new LinkedHashMap<>();
            details.put("tag", key.tag());
            details.put("index", key.index());
            details.putAll(operator.details());
            journal.warn("slot removed by operator", details);
            return key;
        });
    }

    /** Ends the session that is on. */
    CompletableFuture<SessionView> evict(PeerIdentity operator) {
        return call(() -> {
            if (visit == null) {
                throw new EscrowException(Status.ENOENT, "no session is on");
            }
            SessionView evicted = session();
            journal.statistics().happened(Statistics.Incident.EVICTED, 1);
            Channel channel = visit.channel();
            channel.pipeline()
                    .fireExceptionCaught(
                            new EscrowException(Status.ECANCELED, "ended by an operator (" + operator + ")"));
            // Whether or not the client reads what it was told.
            channel.close();
            return evicted;
        });
    }

    /** Tells what has happened since the event with a number. */
    CompletableFuture<News> news(long since) {
        return call(() -> new News(
                journal.since(since), journal.last(), journal.statistics().changes()));
    }

    /** Returns the highest tag that there is. */
    int lastTag() {
        return options.limits().tags() - 1;
    }

    private <T> CompletableFuture<T> call(Callable<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        try {
            loop.execute(() -> {
                try {
                    result.complete(task.call());
                } catch (Exception e) {
                    result.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            result.completeExceptionally(new EscrowException(Status.ECONNRESET, "escrowd is being stopped", e));
        }
        return result;
    }
}
