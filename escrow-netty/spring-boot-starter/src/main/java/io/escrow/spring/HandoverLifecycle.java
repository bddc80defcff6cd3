package io.escrow.spring;

import io.escrow.handover.HandoverReport;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.StartReport;
import io.escrow.reactor.EscrowLoopResources;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationContextAware;
import org.springframework.context.ApplicationEvent;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.SmartApplicationListener;
import org.springframework.core.Ordered;

/**
 * Hands the server over when its context is closed: first of all, while every bean still works. Requests under way may need
 * executors that the phases of {@link SmartLifecycle}, and other listeners, shut down. As a lifecycle it does the same
 * when the context can't be started after all, for which there is no event: the next version is not to lose what this one
 * had adopted.
 */
final class HandoverLifecycle implements SmartLifecycle, SmartApplicationListener, ApplicationContextAware {

    private static final Logger logger = LoggerFactory.getLogger(HandoverLifecycle.class);
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final HandoverTransport transport;
    private final EscrowLoopResources loops;
    private final EscrowProperties properties;
    private final Thread onShutdown = new Thread(this::giveUpWaiting, "escrow-shutdown");
    private ApplicationContext context;
    private boolean ended;

    HandoverLifecycle(HandoverTransport transport, EscrowLoopResources loops, EscrowProperties properties) {
        this.transport = transport;
        this.loops = loops;
        this.properties = properties;
        // The context can't be closed while it is refreshed, and the refresh lasts until it is this server's turn.
        Runtime.getRuntime().addShutdownHook(onShutdown);
        transport.server().whenComplete((server, failure) -> {
            removeShutdownHook();
            if (server != null) {
                log(server.startReport());
            }
        });
    }

    private void giveUpWaiting() {
        if (!hasItsTurn()) {
            transport.close();
        }
    }

    private void removeShutdownHook() {
        try {
            Runtime.getRuntime().removeShutdownHook(onShutdown);
        } catch (IllegalStateException e) {
            // The process ends already.
        }
    }

    private static void log(StartReport start) {
        String pauses = start.pauses().measured() == 0
                ? ""
                : "; they paused for " + start.pauses().median().toMillis() + " ms, at most "
                        + start.pauses().max().toMillis() + " ms";
        logger.info(
                "Serving {}: {} connections adopted, {} found after a crash{}",
                start.adoptedListeners().isEmpty() ? "new listeners" : "adopted listeners",
                start.adopted(),
                start.foundAfterCrash(),
                pauses);
    }

    @Override
    public void setApplicationContext(ApplicationContext context) {
        this.context = context;
    }

    @Override
    public int getOrder() {
        return Ordered.HIGHEST_PRECEDENCE;
    }

    @Override
    public boolean supportsEventType(Class<? extends ApplicationEvent> type) {
        return ContextClosedEvent.class.isAssignableFrom(type) || ApplicationReadyEvent.class.isAssignableFrom(type);
    }

    @Override
    public void onApplicationEvent(ApplicationEvent event) {
        // Events of child contexts, as that of a management server, come here, too.
        if (event instanceof ContextClosedEvent closed && closed.getApplicationContext() == context) {
            end();
        } else if (event instanceof ApplicationReadyEvent ready && ready.getApplicationContext() == context) {
            warnOfServersOutside();
        }
    }

    private void warnOfServersOutside() {
        List<String> unused = loops.unusedNames();
        if (!unused.isEmpty()) {
            logger.warn(
                    "no web server has asked the escrow for its listener {}: it runs on other event loops, and will not be"
                            + " handed over. A bean ReactorResourceFactory of the application must use the bean {}:"
                            + " setUseGlobalResources(false), setLoopResourcesSupplier(() -> loops)",
                    unused,
                    EscrowLoopResources.class.getSimpleName());
        }
    }

    @Override
    public void start() {
        // The web server's start is that of the handover.
    }

    @Override
    public void stop() {
        end();
    }

    @Override
    public boolean isRunning() {
        return !ended && hasItsTurn();
    }

    /** Returns whether the web server has its channel, so that there may be connections. */
    private boolean hasItsTurn() {
        return !loops.unusedNames().contains(properties.name());
    }

    /** Hands over, and waits until connections that stay have ended; or stops waiting for the turn. Does so once. */
    synchronized void end() {
        if (ended) {
            return;
        }
        ended = true;
        removeShutdownHook();
        if (!hasItsTurn() || !handOver()) {
            transport.close();
        }
    }

    private static void logReasons(List<HandoverReport.Staying> staying) {
        staying.stream()
                .collect(Collectors.groupingBy(HandoverReport.Staying::reason, Collectors.counting()))
                .forEach((reason, connections) -> logger.info("{} of them stay: {}", connections, reason));
    }

    private boolean handOver() {
        for (int attempt = 1; ; attempt++) {
            try {
                HandoverReport report =
                        transport.handOver(properties.deadline()).join();
                logger.info(
                        "Handed over {} connections; {} stay until they end",
                        report.connections(),
                        report.staying().size());
                logReasons(report.staying());
                transport.server().join().drained().join();
                return true;
            } catch (CompletionException e) {
                logger.warn("Not handed over: {}", e.getCause().getMessage());
                if (attempt >= properties.attempts()) {
                    logger.error(
                            "The server ends without a handover after {} attempts (escrow.attempts): its connections are"
                                    + " closed",
                            attempt);
                    return false;
                }
                LockSupport.parkNanos(RETRY_NANOS);
            }
        }
    }
}
