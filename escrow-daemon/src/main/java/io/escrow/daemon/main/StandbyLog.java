package io.escrow.daemon.main;

import io.escrow.daemon.DaemonStatus;
import io.escrow.daemon.StandbyListener;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs what happens while this process stands by, and passes it on. */
final class StandbyLog implements StandbyListener {

    private static final Logger logger = LoggerFactory.getLogger(StandbyLog.class);

    private final LogOptions log;
    private final Path path;
    private final BiConsumer<EventLoop, Supplier<DaemonStatus>> ready;
    private final Consumer<String> waiting;

    /**
     * Creates a listener.
     *
     * @param log announces that this process stands by
     * @param ready is told of the event loop and the status of each daemon that stands by
     * @param waiting is told why nothing stands by
     */
    StandbyLog(
            LogOptions log, Path path, BiConsumer<EventLoop, Supplier<DaemonStatus>> ready, Consumer<String> waiting) {
        this.log = log;
        this.path = path;
        this.ready = ready;
        this.waiting = waiting;
    }

    @Override
    public void standingBy(EventLoop loop, Supplier<DaemonStatus> status) {
        log.tellStandingBy(path);
        ready.accept(loop, status);
    }

    @Override
    public void notStandingBy(String reason) {
        logger.atWarn().addKeyValue("reason", reason).log("not standing by");
        waiting.accept("not standing by: " + reason);
    }
}
