package io.escrow.spring;

import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.SealKeys;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.internal.Checks;
import java.nio.file.Path;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Settings of the handover, from the properties {@code escrow.*}.
 *
 * @param path path of the escrow's socket. Without it, nothing is handed over
 * @param name name of the web server's listener in the escrow; the same in the next version of the application
 * @param crashSafe whether listeners and connections outlive a crash of this process, too
 * @param waves how long connections may pause when they move in waves to a process that waits already. By default all move at
 *     once
 * @param rehearsal whether this process rehearses a handover with connections of its own, see {@link ServerHandoverBuilder#rehearsal}
 * @param create whether to start a daemon when none is running. In a control group or container, it would end with the
 *     application
 * @param daemon where the daemon is, escrowd.jar or a program, if it is neither on the class path nor named by ESCROWD in the
 *     environment
 * @param deadline how long one attempt to hand over may take
 * @param attempts how often a handover that fails is tried, a second apart, before the application stops without it
 * @param drain how long connections that can't be moved may go on in this process after the handover
 * @param firstTag the first of three tags of the escrow that are used
 * @param sealKeyFile a file with the key that seals what is stored of connections, see {@link SealKeys#file}. By default
 *     nothing is sealed
 */
@ConfigurationProperties("escrow")
public record EscrowProperties(
        String path,
        @DefaultValue("http") String name,
        @DefaultValue("false") boolean crashSafe,
        Duration waves,
        @DefaultValue("true") boolean rehearsal,
        @DefaultValue("true") boolean create,
        Path daemon,
        @DefaultValue("30s") Duration deadline,
        @DefaultValue("3") int attempts,
        @DefaultValue("30s") Duration drain,
        @DefaultValue("0") int firstTag,
        Path sealKeyFile) {

    private static final int MAX_ATTEMPTS = 1_000;

    /** Checks what is not checked where it is used. */
    public EscrowProperties {
        Checks.positive("escrow.deadline", deadline);
        Checks.inRange("escrow.attempts", attempts, 1, MAX_ATTEMPTS);
    }

    /** Returns a server as these properties describe it. */
    ServerHandoverBuilder toBuilder() {
        ServerHandoverBuilder server = ServerHandover.with(client())
                .crashSafe(crashSafe)
                .drain(drain)
                .firstTag(firstTag)
                .rehearsal(rehearsal);
        if (sealKeyFile != null) {
            server.seal(SealKeys.file(sealKeyFile));
        }
        return waves == null ? server : server.waves(waves);
    }

    private EscrowClientBuilder client() {
        EscrowClientBuilder client = EscrowClient.builder().path(path);
        if (!create) {
            return client;
        }
        DaemonLaunch launch = DaemonLaunch.onDemand().replaceDeadSocket(true);
        return client.launch(daemon == null ? launch : launch.from(daemon));
    }
}
