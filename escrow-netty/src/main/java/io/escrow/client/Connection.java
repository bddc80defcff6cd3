package io.escrow.client;

import io.escrow.codec.Frame;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * One session of a client with a daemon.
 *
 * @param daemon the daemon's greeting, with its limits
 * @param queued how long the client has waited for its turn
 * @param descriptorsMayCome is told whether the next packet may bring descriptors, before the requests are sent
 */
record Connection(Channel channel, Frame.Hello daemon, Duration queued, Consumer<Boolean> descriptorsMayCome) {}
