package io.escrow.daemon.main;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.Access;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.OperatorOptions;
import io.escrow.internal.TemporaryDirectory;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does once what a daemon does when it takes over, and then serves, so that the Java virtual machine has loaded and
 * compiled it: the first time takes ten times as long.
 */
final class Rehearsal {

    private static final Logger logger = LoggerFactory.getLogger(Rehearsal.class);
    private static final int REQUESTS = 300;
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private Rehearsal() {}

    /** Rehearses in a directory for temporary files. Nothing is lost if that fails. */
    static void hold(DaemonOptions options) {
        LogFormat.mute(true);
        try (TemporaryDirectory directory = TemporaryDirectory.make()) {
            rehearse(options, directory.path().resolve("s"));
        } catch (IOException | RuntimeException e) {
            logger.atDebug().setCause(e).log("no rehearsal");
        } finally {
            LogFormat.mute(false);
        }
    }

    private static void rehearse(DaemonOptions options, Path path) throws IOException {
        DaemonOptions small = new DaemonOptions(
                path,
                true,
                false,
                options.descriptorBatches(),
                options.limits(),
                options.storeLimits(),
                options.timeouts(),
                1,
                Access.OWNER_ONLY,
                options.unclaimed(),
                OperatorOptions.DEFAULT,
                options.standby(),
                DaemonOptions.BIND);
        FileDescriptor file = FileDescriptor.from("/dev/null");
        try (EscrowDaemon first = EscrowDaemon.start(small)) {
            first.allowSuccessor(jar -> {
                throw new EscrowException(Status.EOPNOTSUPP, "a rehearsal");
            });
            try (BlockingEscrow client = EscrowClient.builder()
                    .path(path.toString())
                    .connectTimeout(PATIENCE)
                    .connectBlocking(PATIENCE)) {
                use(client, file);
                try (EscrowDaemon second = EscrowDaemon.takeOver(small)) {
                    if (first.successor().isEmpty() || second.successor().isPresent()) {
                        throw new IllegalStateException("not taken over");
                    }
                    use(client, file);
                }
            }
        } finally {
            file.close();
        }
    }

    private static void use(BlockingEscrow client, FileDescriptor file) throws EscrowException {
        byte[] payload = new byte[10];
        for (int i = 0; i < REQUESTS; i++) {
            client.add(0, i, file, payload);
            client.get(0, i).close();
            client.update(0, i, payload);
        }
        client.list(0);
        for (int i = 1; i < REQUESTS; i++) {
            client.delete(0, i);
        }
    }
}
