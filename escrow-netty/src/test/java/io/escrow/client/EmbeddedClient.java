package io.escrow.client;

import io.escrow.Limits;
import io.escrow.codec.Frame;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;

/** Makes clients of daemons that tests play by hand. */
final class EmbeddedClient {

    private EmbeddedClient() {}

    /** How long a request waits that need not be sent at once. */
    static final Duration DELETE_DELAY = Duration.ofMillis(7);

    static EscrowClient on(EmbeddedChannel channel, Limits limits) {
        return on(channel, new Frame.Hello(Frame.VERSION, limits));
    }

    /** Makes a client that tells a consumer whether the next packet may bring descriptors. */
    static EscrowClient on(EmbeddedChannel channel, Limits limits, Consumer<Boolean> descriptorsMayCome) {
        return on(channel, new Frame.Hello(Frame.VERSION, limits), descriptorsMayCome);
    }

    static EscrowClient on(EmbeddedChannel channel, Frame.Hello daemon) {
        return on(channel, daemon, mayCome -> {});
    }

    private static EscrowClient on(EmbeddedChannel channel, Frame.Hello daemon, Consumer<Boolean> descriptorsMayCome) {
        return on(channel, daemon, descriptorsMayCome, DELETE_DELAY);
    }

    static EscrowClient on(EmbeddedChannel channel, Limits limits, Duration deleteDelay) {
        return on(channel, new Frame.Hello(Frame.VERSION, limits), mayCome -> {}, deleteDelay);
    }

    private static EscrowClient on(
            EmbeddedChannel channel, Frame.Hello daemon, Consumer<Boolean> descriptorsMayCome, Duration deleteDelay) {
        Duration time = Duration.ofSeconds(1);
        ConnectOptions options = new ConnectOptions(
                Path.of("s"),
                null,
                time,
                true,
                time,
                waiting -> {},
                null,
                false,
                false,
                deleteDelay,
                ReconnectOptions.OFF);
        return EscrowClient.of(options, new Connection(channel, daemon, Duration.ZERO, descriptorsMayCome), null);
    }
}
