package io.escrow.spring;

import io.escrow.handover.HandoverObserver;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.StartReport;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Passes on to several observers what happens to a server. */
final class Observers implements HandoverObserver {

    private static final Logger logger = LoggerFactory.getLogger(Observers.class);

    private final List<HandoverObserver> observers;

    Observers(List<HandoverObserver> observers) {
        this.observers = List.copyOf(observers);
    }

    /** Calls all of them, whatever one of them throws. */
    private void all(Consumer<HandoverObserver> call) {
        for (HandoverObserver observer : observers) {
            try {
                call.accept(observer);
            } catch (RuntimeException e) {
                logger.warn("observer {} has thrown an exception", observer, e);
            }
        }
    }

    @Override
    public void queued(Duration waited) {
        all(observer -> observer.queued(waited));
    }

    @Override
    public void paused(Duration pause) {
        all(observer -> observer.paused(pause));
    }

    @Override
    public void started(StartReport report) {
        all(observer -> observer.started(report));
    }

    @Override
    public void handedOver(HandoverReport report) {
        all(observer -> observer.handedOver(report));
    }

    @Override
    public void handoverFailed(Throwable reason) {
        all(observer -> observer.handoverFailed(reason));
    }

    @Override
    public void sessionLost() {
        all(HandoverObserver::sessionLost);
    }

    @Override
    public void sessionRegained() {
        all(HandoverObserver::sessionRegained);
    }
}
