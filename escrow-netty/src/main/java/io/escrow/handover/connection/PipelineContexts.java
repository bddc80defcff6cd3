package io.escrow.handover.connection;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import java.util.Arrays;
import java.util.List;

/**
 * Keeps the contexts of a pipeline, in their order. Netty makes a list of all names for each look at a pipeline, and looks for each context
 * from the head: so one look serves all that is asked at the same moment. Lives on the channel's event loop.
 */
final class PipelineContexts {

    private static final ChannelHandlerContext[] NONE = {};

    private final ChannelPipeline pipeline;
    private ChannelHandlerContext[] seen = NONE;

    PipelineContexts(ChannelPipeline pipeline) {
        this.pipeline = pipeline;
    }

    /** Returns the contexts of a pipeline. */
    static ChannelHandlerContext[] of(ChannelPipeline pipeline) {
        return of(pipeline, pipeline.names());
    }

    private static ChannelHandlerContext[] of(ChannelPipeline pipeline, List<String> names) {
        // The tail has a name, and no context.
        ChannelHandlerContext[] found = new ChannelHandlerContext[names.size() - 1];
        int count = 0;
        for (int i = 0; i < found.length; i++) {
            ChannelHandlerContext context = pipeline.context(names.get(i));
            if (context != null) {
                found[count++] = context;
            }
        }
        return count == found.length ? found : Arrays.copyOf(found, count);
    }

    /** Looks at the pipeline, and returns the contexts as they are now; the array does not change. */
    ChannelHandlerContext[] look() {
        List<String> names = pipeline.names();
        if (!isAsSeen(names)) {
            seen = of(pipeline, names);
        }
        return seen;
    }

    /** Returns the contexts as they were at the last look; none before the first. */
    ChannelHandlerContext[] seen() {
        return seen;
    }

    private boolean isAsSeen(List<String> names) {
        if (names.size() != seen.length + 1) {
            return false;
        }
        for (int i = 0; i < seen.length; i++) {
            // One may have been removed, and another one added under its name.
            if (!seen[i].name().equals(names.get(i)) || seen[i].isRemoved()) {
                return false;
            }
        }
        return true;
    }
}
