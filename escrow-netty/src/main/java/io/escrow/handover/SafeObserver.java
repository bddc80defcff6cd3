package io.escrow.handover;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/** Logs what an observer throws, so that it does not reach the server. May be used by any thread. */
final class SafeObserver implements HandoverObserver {

    private static final Logger logger = HandoverLog.LOGGER;

    private final HandoverObserver observer;
    private final AtomicBoolean failed = new AtomicBoolean();

    SafeObserver(HandoverObserver observer) {
        this.observer = observer;
    }

    private void tell(Consumer<HandoverObserver> call) {
        try {
            call.accept(observer);
        } catch (Throwable e) {
            // It may be told of each of many connections.
            Level level = failed.getAndSet(true) ? Level.DEBUG : Level.WARN;
            logger.atLevel(level).setCause(e).log("the observer of this server has failed");
        }
    }

    @Override
    public void queued(Duration waited) {
        tell(o -> o.queued(waited));
    }

    @Override
    public void paused(Duration pause) {
        tell(o -> o.paused(pause));
    }

    @Override
    public void started(StartReport report) {
        tell(o -> o.started(report));
    }

    @Override
    public void handedOver(HandoverReport report) {
        tell(o -> o.handedOver(report));
    }

    @Override
    public void handoverFailed(Throwable reason) {
        tell(o -> o.handoverFailed(reason));
    }

    @Override
    public void sessionLost() {
        tell(HandoverObserver::sessionLost);
    }

    @Override
    public void sessionRegained() {
        tell(HandoverObserver::sessionRegained);
    }
}
