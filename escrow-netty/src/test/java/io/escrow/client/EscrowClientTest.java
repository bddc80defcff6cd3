package io.escrow.client;

import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Capacity;
import java.nio.file.Path;

/** The client with the escrow of the library's tests. */
class EscrowClientTest extends EscrowClientContract {

    @Override
    protected AutoCloseable startEscrow(Path path, int slots) {
        return InMemoryEscrow.start(path, new Capacity(slots, 1_000_000, 1_000));
    }
}
