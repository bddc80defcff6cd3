package io.escrow.handover.connection;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Keeps the contexts of a pipeline, in their order: Netty looks for each from the head. Lives on the channel's event loop.
 */
final class PipelineContexts {

    private final ChannelPipeline pipeline;
    private List<ChannelHandlerContext> known = List.of();

    PipelineContexts(ChannelPipeline pipeline) {
        this.pipeline = pipeline;
    }

    /** Returns the contexts as they are now. */
    List<ChannelHandlerContext> now() {
        if (!isUnchanged()) {
            List<ChannelHandlerContext> found = new ArrayList<>();
            for (Map.Entry<String, ChannelHandler> e : pipeline) {
                found.add(pipeline.context(e.getKey()));
            }
            known = List.copyOf(found);
        }
        return known;
    }

    private boolean isUnchanged() {
        int i = 0;
        for (Map.Entry<String, ChannelHandler> e : pipeline) {
            // One that may be shared can be removed, and added again.
            if (i == known.size()
                    || known.get(i).handler() != e.getValue()
                    || known.get(i).isRemoved()) {
                return false;
            }
            i++;
        }
        return i == known.size();
    }
}
