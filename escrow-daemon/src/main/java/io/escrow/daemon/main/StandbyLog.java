package io.escrow.daemon.main;

import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.StandbyListener;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs what happens while this process stands by. */
final class StandbyLog implements StandbyListener {

    private static final Logger logger = LoggerFactory.getLogger(StandbyLog.class);

    private final Path path;
    private final Consumer<EscrowDaemon> ready;

    /**
     * Creates a listener.
     *
     * @param ready is told of each daemon that stands by
     */
    StandbyLog(Path path, Consumer<EscrowDaemon> ready) {
        this.path = path;
        this.ready = ready;
    }

    @Override
    public void standingBy(EscrowDaemon daemon) {
        logger.atInfo().addKeyValue("path", path).log("standing by");
        ready.accept(daemon);
    }

    @Override
    public void notStandingBy(String reason) {
        logger.atWarn().addKeyValue("reason", reason).log("not standing by");
    }
}
