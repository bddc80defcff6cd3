package io.escrow.client;

import io.netty.channel.EventLoopGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * Contains the checked settings of one connection. {@code connect()} makes it, and later changes of the builder do not
 * affect it.
 *
 * @param group the caller's event loops; {@code null} for one of the client's own
 * @param queueCounts whether the time in the queue counts for the timeout
 * @param reportInterval how long after a report that it waits another one follows
 * @param launch how to start a daemon; {@code null} to start none
 * @param batches whether descriptors may be sent and received many in a message
 * @param deleteDelay how long a request to empty a slot may wait for another one, if the caller does not wait for it
 * @param reconnect how to connect again when the session is lost
 */
record ConnectOptions(
        Path path,
        EventLoopGroup group,
        Duration timeout,
        boolean queueCounts,
        Duration reportInterval,
        Consumer<Waiting> onWaiting,
        DaemonLaunch launch,
        boolean verbose,
        boolean batches,
        Duration deleteDelay,
        ReconnectOptions reconnect) {}
