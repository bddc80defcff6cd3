package io.escrow.handover.connection;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import java.util.ArrayList;
import java.util.List;

/**
 * Keeps the contexts of a pipeline, in their order. Netty looks for each from the head, and makes a map of all handlers for each
 * iteration over a pipeline: a handover asks every connection several times. Lives on the channel's event loop.
 */
final class PipelineContexts {

    private final ChannelPipeline pipeline;
    private List<String> names = List.of();
    private List<ChannelHandlerContext> known = List.of();

    PipelineContexts(ChannelPipeline pipeline) {
        this.pipeline = pipeline;
    }

    /** Returns the contexts of a pipeline. */
    static List<ChannelHandlerContext> of(ChannelPipeline pipeline) {
        return of(pipeline, pipeline.names());
    }

    private static List<ChannelHandlerContext> of(ChannelPipeline pipeline, List<String> names) {
        List<ChannelHandlerContext> found = new ArrayList<>(names.size());
        for (int i = 0; i < names.size(); i++) {
            // Of the tail there is none.
            ChannelHandlerContext context = pipeline.context(names.get(i));
            if (context != null) {
                found.add(context);
            }
        }
        return found;
    }

    /** Returns the contexts as they are now; the list does not change. */
    List<ChannelHandlerContext> now() {
        List<String> current = pipeline.names();
        if (!isUnchanged(current)) {
            names = current;
            known = of(pipeline, current);
        }
        return known;
    }

    private boolean isUnchanged(List<String> current) {
        if (!current.equals(names)) {
            return false;
        }
        for (int i = 0; i < known.size(); i++) {
            // One may have been removed, and another one added under its name.
            if (known.get(i).isRemoved()) {
                return false;
            }
        }
        return true;
    }
}
