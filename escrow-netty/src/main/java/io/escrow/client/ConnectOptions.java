package io.escrow.client;

import io.netty.channel.EventLoopGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * How to connect: checked, and fixed when {@code connect()} is called, whatever becomes of the builder.
 *
 * @param group the caller's event loops; {@code null} for one of the client's own
 * @param launch how to start a daemon; {@code null} to start none
 */
record ConnectOptions(
        Path path,
        EventLoopGroup group,
        Duration timeout,
        Consumer<Waiting> onWaiting,
        DaemonLaunch launch,
        boolean verbose) {}
