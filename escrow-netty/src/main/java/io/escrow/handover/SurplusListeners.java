package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.internal.EventLoops;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.unix.Buffer;
import io.netty.channel.unix.RawUnixChannelOption;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;

/**
 * Serves the connections that wait at listeners of which this version has fewer, and closes those listeners then. New ones
 * go to the listeners that it has: the kernel drops their first packet here, and when it comes again, the surplus listeners
 * are gone. Used by the thread of the start.
 */
final class SurplusListeners {

    private static final Logger logger = HandoverLog.LOGGER;

    /** How long a connection that is being established may take. The first packet of one that is dropped is repeated after so long, too. */
    private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final int SOL_SOCKET = 1;
    private static final int SO_ATTACH_FILTER = 26;
    private static final int ADDRESS = 8;

    /** A program for the kernel, see "Linux Socket Filtering": drops TCP packets with the flag SYN. */
    private static final int[][] NO_SYN = {
        {0x30, 0, 0, 13}, // the byte with the flags
        {0x45, 0, 1, 2}, // SYN: the next one, else the one after
        {0x06, 0, 0, 0}, // nothing of the packet
        {0x06, 0, 0, 1 << 18}, // all of it
    };

    private final HandoverContext server;
    private final List<Channel> channels = new ArrayList<>();
    private long began;

    SurplusListeners(HandoverContext server) {
        this.server = server;
    }

    /** Takes over a socket, and owns its descriptor. What it accepts is served as by another listener of its address. */
    void adopt(int descriptor, Listener sibling) throws EscrowException {
        ChannelFuture registered = sibling.configuration()
                .source()
                .adopt(descriptor, sibling.configuration().address());
        Throwable failure = EventLoops.awaitOpen(registered);
        if (failure == null) {
            Channel channel = registered.channel();
            channel.pipeline().addFirst("escrow-acceptor", new AcceptHandler(server, sibling.name()));
            channels.add(channel);
        } else {
            logger.warn("what waits at a listener more than {} has is lost: {}", sibling.name(), failure);
        }
    }

    /** Accepts what waits, and lets no new connections in. */
    void accept() {
        began = System.nanoTime();
        for (Channel channel : channels) {
            try {
                refuseNew(channel);
            } catch (RuntimeException | Error e) {
                // A connection that comes at the very moment of the end is reset then.
                logger.debug("{} can't be kept from getting new connections", channel, e);
            }
            channel.config().setAutoRead(true);
        }
    }

    private static void refuseNew(Channel channel) {
        ByteBuffer program = allocate(NO_SYN.length * ADDRESS);
        try {
            for (int[] step : NO_SYN) {
                program.putShort((short) step[0])
                        .put((byte) step[1])
                        .put((byte) step[2])
                        .putInt(step[3]);
            }
            ByteBuffer header = allocate(2 * ADDRESS);
            header.putShort(0, (short) NO_SYN.length).putLong(ADDRESS, Buffer.memoryAddress(program));
            RawUnixChannelOption attach =
                    new RawUnixChannelOption("SO_ATTACH_FILTER", SOL_SOCKET, SO_ATTACH_FILTER, header.capacity());
            channel.config().setOption(attach, header);
        } finally {
            // The header has its address only.
            Reference.reachabilityFence(program);
        }
    }

    private static ByteBuffer allocate(int size) {
        return ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
    }

    /** Closes the listeners at once: the start has failed, and what waits there stays with the escrow. */
    void abandon() {
        channels.forEach(channel -> channel.close().awaitUninterruptibly());
    }

    /** Closes the listeners, when those that were connecting have connected. */
    void close() {
        if (channels.isEmpty()) {
            return;
        }
        for (long left = GRACE_NANOS; left > 0; left = began + GRACE_NANOS - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
        abandon();
        EventLoops.settle(server.loops()).join();
    }
}
