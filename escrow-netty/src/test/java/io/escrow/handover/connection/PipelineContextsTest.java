package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PipelineContextsTest {

    @ChannelHandler.Sharable
    private static final class Shared extends ChannelInboundHandlerAdapter {}

    private final Shared first = new Shared();
    private final Shared second = new Shared();
    private final EmbeddedChannel channel = new EmbeddedChannel(first, second);
    private final PipelineContexts contexts = new PipelineContexts(channel.pipeline());

    private List<ChannelHandler> handlers() {
        return Stream.of(contexts.look()).map(ChannelHandlerContext::handler).toList();
    }

    @Test
    void contextsOfAPipelineThatHasNotChangedAreNotLookedForAgain() {
        assertEquals(List.of(first, second), handlers().subList(0, 2));
        assertSame(contexts.look(), contexts.look());
        assertSame(contexts.look(), contexts.seen());
        assertFalse(channel.finish());
    }

    @Test
    void nothingIsSeenBeforeTheFirstLook() {
        assertEquals(0, contexts.seen().length);
        contexts.look();
        channel.pipeline().addFirst(new Shared());
        assertEquals(first, contexts.seen()[0].handler());
        assertFalse(channel.finish());
    }

    @Test
    void changesOfThePipelineAreSeen() {
        List<ChannelHandler> before = handlers();
        Shared third = new Shared();
        channel.pipeline().addFirst(third);
        assertEquals(third, handlers().get(0));
        channel.pipeline().remove(third);
        assertEquals(before, handlers());
        channel.pipeline().replace(second, null, third);
        assertEquals(List.of(first, third), handlers().subList(0, 2));
        assertFalse(channel.finish());
    }

    @Test
    void handlerThatIsAddedAgainHasAnotherContext() {
        ChannelHandlerContext before = contexts.look()[0];
        channel.pipeline().remove(first);
        channel.pipeline().addFirst(first);
        assertEquals(first, contexts.look()[0].handler());
        assertTrue(before.isRemoved());
        assertFalse(contexts.look()[0].isRemoved());
        assertFalse(channel.finish());
    }
}
