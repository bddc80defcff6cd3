package io.escrow.daemon.control;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Limits the number of connections to a listener. A connection above the limit is closed at once, before it uses
 * anything but its descriptor. Connections with access are counted apart from those without, so that users without
 * access can't block the others. Runs on the daemon's event loop.
 */
final class ConnectionLimiter extends ChannelInboundHandlerAdapter {

    /** The limit for connections without access, which are only told so, and for the port of the metrics. */
    static final int FEW = 4;

    private static final Logger logger = LoggerFactory.getLogger(ConnectionLimiter.class);
    private static final Duration SILENCE = Duration.ofSeconds(10);

    private final int limit;
    private final Predicate<Channel> hasAccess;
    private final AtomicInteger operators = new AtomicInteger();
    private final AtomicInteger others = new AtomicInteger();
    private long toldNanos = System.nanoTime() - SILENCE.toNanos();

    /**
     * Creates a limiter for one listener.
     *
     * @param limit the largest number of connections with access at a time
     * @param hasAccess returns whether a connection has access
     */
    ConnectionLimiter(int limit, Predicate<Channel> hasAccess) {
        this.limit = limit;
        this.hasAccess = hasAccess;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        Channel child = (Channel) msg;
        boolean operator = hasAccess.test(child);
        AtomicInteger connected = operator ? operators : others;
        int most = operator ? limit : FEW;
        if (connected.get() >= most) {
            child.unsafe().closeForcibly();
            tell(most);
            return;
        }
        connected.incrementAndGet();
        child.closeFuture().addListener(closed -> connected.decrementAndGet());
        ctx.fireChannelRead(child);
    }

    private void tell(int most) {
        long now = System.nanoTime();
        if (now - toldNanos >= SILENCE.toNanos()) {
            toldNanos = now;
            logger.atWarn().addKeyValue("limit", most).log("operator refused: too many at once");
        }
    }
}
