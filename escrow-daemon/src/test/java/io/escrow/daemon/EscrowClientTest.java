package io.escrow.daemon;

import io.escrow.client.EscrowClientContract;
import java.nio.file.Path;

/** The client with an embedded daemon. */
class EscrowClientTest extends EscrowClientContract {

    @Override
    protected AutoCloseable startEscrow(Path path, int slots) throws Exception {
        DaemonOptions defaults = DaemonOptions.of(path.toString());
        StoreLimits limits =
                new StoreLimits(slots, 1_000_000, defaults.storeLimits().descriptors());
        return EscrowDaemon.start(defaults.withStoreLimits(limits));
    }
}
