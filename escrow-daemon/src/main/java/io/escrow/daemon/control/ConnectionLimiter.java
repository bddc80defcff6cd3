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
 * Closes who is too many before anything is spent on him: whoever connects all the time must not take the descriptors that
 * clients need, nor the places of those who are let in. Lives on the daemon's event loop.
 */
final class ConnectionLimiter extends ChannelInboundHandlerAdapter {

    /** So many may be connected of those who will not be let in, until they are told so; and to the port of metrics. */
    static final int FEW = 4;

    private static final Logger logger = LoggerFactory.getLogger(ConnectionLimiter.class);
    private static final Duration SILENCE = Duration.ofSeconds(10);

    private final int limit;
    private final Predicate<Channel> letIn;
    private final AtomicInteger operators = new AtomicInteger();
    private final AtomicInteger others = new AtomicInteger();
    private long toldNanos = System.nanoTime() - SILENCE.toNanos();

    /**
     * Makes one for a listener.
     *
     * @param limit how many may be connected at once of those who are let in
     * @param letIn tells who is
     */
    ConnectionLimiter(int limit, Predicate<Channel> letIn) {
        this.limit = limit;
        this.letIn = letIn;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        Channel child = (Channel) msg;
        boolean operator = letIn.test(child);
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
