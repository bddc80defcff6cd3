package com.example;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.DaemonOptions;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** Keeps a file in escrow, open for writing. */
final class Keeper {

    private static final Duration TIMEOUT = Duration.ofSeconds(20);

    private Keeper() {}

    /** Starts a daemon in this process. */
    static EscrowDaemon embed(Path socket) throws EscrowException {
        return EscrowDaemon.start(DaemonOptions.of(socket.toString()));
    }

    /** Connects, and starts a daemon process if there is none. */
    static BlockingEscrow connect(Path socket) throws EscrowException {
        return EscrowClient.builder()
                .path(socket.toString())
                .launch(DaemonLaunch.onDemand())
                .connectBlocking(TIMEOUT);
    }

    static void store(BlockingEscrow escrow, Path file, byte[] payload) throws IOException {
        FileDescriptor descriptor = FileDescriptor.from(file.toFile());
        try {
            escrow.add(1, 42, descriptor, payload);
        } finally {
            descriptor.close();
        }
    }

    static Entry fetch(BlockingEscrow escrow) throws EscrowException {
        return escrow.get(1, 42);
    }
}
