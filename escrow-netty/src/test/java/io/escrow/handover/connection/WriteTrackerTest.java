package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.CombinedChannelDuplexHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.string.StringEncoder;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.handler.logging.LoggingHandler;
import io.netty.handler.stream.ChunkedStream;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.handler.traffic.ChannelTrafficShapingHandler;
import io.netty.handler.traffic.GlobalTrafficShapingHandler;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.io.ByteArrayInputStream;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;

class WriteTrackerTest {

    /** Lets the test say what comes out. */
    private static class Scripted extends ChannelOutboundHandlerAdapter {
        final Queue<ChannelPromise> promises = new ArrayDeque<>();

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            promises.add(promise);
        }
    }

    /** Never completes the promises that it gets. */
    private static final class Careless extends ChannelOutboundHandlerAdapter {
        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write(msg);
        }
    }

    private static final class Wrapping extends ChannelOutboundHandlerAdapter {
        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write("<" + msg + ">", promise);
        }
    }

    private static final class OwnEncoder extends StringEncoder {}

    private static final class OwnChunked extends ChunkedWriteHandler {}

    private static final class Inbound extends ChannelDuplexHandler {}

    private static WriteTrackers install(EmbeddedChannel channel) {
        WriteTrackers trackers = new WriteTrackers();
        trackers.watch(PipelineContexts.of(channel.pipeline()), ImmovableHandlers.DEFAULT);
        return trackers;
    }

    @Test
    void nothingIsInTheWayOfWritesWhenTheHandlerHasGone() {
        Wrapping handler = new Wrapping();
        EmbeddedChannel channel = new EmbeddedChannel(handler);
        install(channel);
        assertEquals(3, channel.pipeline().names().size() - 1);
        channel.pipeline().remove(handler);
        channel.writeOutbound("a", "b");
        assertEquals("a", channel.readOutbound());
        assertEquals("b", channel.readOutbound());
        assertEquals(0, channel.pipeline().names().size() - 1);
    }

    @Test
    void writeThatPassesIsNotKept() {
        EmbeddedChannel channel = new EmbeddedChannel(new Wrapping());
        WriteTrackers trackers = install(channel);
        channel.writeOneOutbound("a", channel.voidPromise());
        assertNull(trackers.whyBusy());
        channel.writeOneOutbound("b");
        assertNull(trackers.whyBusy());
        channel.flushOutbound();
        assertEquals("<a>", channel.readOutbound());
        assertEquals("<b>", channel.readOutbound());
        assertFalse(channel.finish());
    }

    @Test
    void writeIsKeptUntilItIsSeenOnTheOtherSide() {
        Scripted scripted = new Scripted();
        EmbeddedChannel channel = new EmbeddedChannel(scripted);
        WriteTrackers trackers = install(channel);
        channel.writeOneOutbound("a");
        channel.writeOneOutbound("b", channel.voidPromise());
        assertEquals("handler " + Scripted.class.getName() + " keeps back 2 writes", trackers.whyBusy());
        ChannelHandlerContext ctx = channel.pipeline().context(scripted);
        // Not flushed: what waits in the channel can be copied.
        ctx.write("a", scripted.promises.remove());
        assertEquals("handler " + Scripted.class.getName() + " keeps back 1 write", trackers.whyBusy());
        ctx.write("another", ctx.newPromise());
        assertEquals("handler " + Scripted.class.getName() + " keeps back 1 write", trackers.whyBusy());
        ctx.write("b", scripted.promises.remove());
        assertNull(trackers.whyBusy());
        channel.flushOutbound();
        channel.releaseOutbound();
    }

    @Test
    void writeIsKeptUntilItsPromiseIsDone() {
        Scripted scripted = new Scripted();
        EmbeddedChannel channel = new EmbeddedChannel(scripted);
        WriteTrackers trackers = install(channel);
        channel.writeOneOutbound("a");
        channel.writeOneOutbound("b");
        scripted.promises.remove().setFailure(new IllegalArgumentException("not wanted"));
        scripted.promises.remove().setSuccess();
        assertNull(trackers.whyBusy());
    }

    @Test
    void olderWriteThatComesOutDoesNotStandForTheNextOne() {
        Queue<ChannelPromise> kept = new ArrayDeque<>();
        EmbeddedChannel channel = new EmbeddedChannel(new ChannelOutboundHandlerAdapter() {
            @Override
            public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
                kept.add(promise);
                if (kept.size() > 1) {
                    ctx.write("the one before", kept.remove());
                }
            }
        });
        WriteTrackers trackers = install(channel);
        channel.writeOneOutbound("a");
        channel.writeOneOutbound("b");
        channel.writeOneOutbound("c");
        assertTrue(trackers.whyBusy().endsWith(" keeps back 1 write"), trackers.whyBusy());
        kept.remove().setSuccess();
        assertNull(trackers.whyBusy());
        channel.flushOutbound();
        channel.releaseOutbound();
    }

    @Test
    void writeUnderAnotherPromiseHasPassed() {
        EmbeddedChannel channel = new EmbeddedChannel(new Careless());
        WriteTrackers trackers = install(channel);
        channel.writeOneOutbound("a");
        channel.writeOneOutbound("b");
        assertNull(trackers.whyBusy());
        channel.flushOutbound();
        channel.releaseOutbound();
    }

    @Test
    void handlerThatIsRemovedKeepsNothing() {
        Scripted scripted = new Scripted();
        EmbeddedChannel channel = new EmbeddedChannel(scripted);
        WriteTrackers trackers = install(channel);
        channel.writeOneOutbound("a");
        channel.pipeline().remove(scripted);
        assertNull(trackers.whyBusy());
    }

    @Test
    void plainPipelinesGetNoMoreHandlers() {
        EmbeddedChannel channel = new EmbeddedChannel(
                new HttpServerCodec(),
                new OwnEncoder(),
                new LoggingHandler(),
                new IdleStateHandler(1, 1, 1),
                new FlushConsolidationHandler(),
                new ChannelInboundHandlerAdapter(),
                new Inbound());
        List<String> before = channel.pipeline().names();
        install(channel);
        assertEquals(before, channel.pipeline().names());
        channel.finishAndReleaseAll();
    }

    @Test
    void handlerOfNettyWithAQueueIsAskedAndNothingStandsInItsWay() {
        EmbeddedChannel channel = new EmbeddedChannel(new ChunkedWriteHandler(), new OwnChunked());
        List<String> before = channel.pipeline().names();
        WriteTrackers trackers = install(channel);
        assertEquals(before, channel.pipeline().names());
        channel.writeOneOutbound(new ChunkedStream(new ByteArrayInputStream(new byte[3])));
        channel.writeOneOutbound("behind it");
        assertEquals("handler " + OwnChunked.class.getName() + " keeps back 2 writes", trackers.whyBusy());
        channel.flushOutbound();
        assertNull(trackers.whyBusy());
        channel.releaseOutbound();
    }

    @Test
    void handlerWithAQueueThatWritesInAWayOfItsOwnIsWatched() {
        EmbeddedChannel channel = new EmbeddedChannel(new ChunkedWriteHandler() {
            @Override
            public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
                super.write(ctx, msg, promise);
            }
        });
        int before = channel.pipeline().names().size();
        install(channel);
        assertEquals(before + 2, channel.pipeline().names().size());
        channel.finishAndReleaseAll();
    }

    @Test
    void handlersThatMayKeepWritesAreKnown() {
        assertTrue(WriteTracker.mayKeep(new ChunkedWriteHandler()));
        assertTrue(WriteTracker.mayKeep(new OwnChunked()));
        assertTrue(WriteTracker.mayKeep(new ChannelTrafficShapingHandler(1)));
        GlobalTrafficShapingHandler global = new GlobalTrafficShapingHandler(ImmediateEventExecutor.INSTANCE, 0);
        assertTrue(WriteTracker.mayKeep(global));
        assertTrue(WriteTracker.mayKeep(new Careless()));
        assertTrue(WriteTracker.mayKeep(
                new CombinedChannelDuplexHandler<>(new ChannelInboundHandlerAdapter(), new Careless())));
        ChannelHandler encoder = new OwnEncoder();
        assertFalse(WriteTracker.mayKeep(encoder));
        assertFalse(WriteTracker.mayKeep(new HttpServerCodec()));
    }
}
