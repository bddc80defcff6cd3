package io.escrow.daemon;

import io.escrow.client.EscrowClientContract;
import io.escrow.daemon.config.DaemonOptions;
import java.nio.file.Path;

/** The client with an embedded daemon. */
class EscrowClientTest extends EscrowClientContract {

    @Override
    protected AutoCloseable startEscrow(Path path, int slots) throws Exception {
        return EscrowDaemon.start(DaemonOptions.builder()
                .path(path.toString())
                .maxSlots(slots)
                .maxBytes(1_000_000)
                .build());
    }
}
