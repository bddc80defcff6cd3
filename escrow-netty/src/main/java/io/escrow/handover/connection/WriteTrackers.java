package io.escrow.handover.connection;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import java.util.ArrayList;
import java.util.List;

/** Watches the handlers of a pipeline that may keep writes back. Called on the channel's event loop. */
final class WriteTrackers {

    /** How the names of the handlers begin that the library and its protocols add: they report what they keep themselves. */
    private static final String OWN = "escrow-";

    private final List<WriteTracker> trackers = new ArrayList<>(0);

    /** Watches none yet. */
    WriteTrackers() {}

    /**
     * Watches the handlers of a pipeline, before any of those that are not watched yet has got anything to write.
     *
     * @return whether trackers were put between the handlers
     */
    boolean watch(ChannelHandlerContext[] handlers, ImmovableHandlers immovable) {
        int before = trackers.size();
        for (ChannelHandlerContext ctx : handlers) {
            if (isToBeWatched(ctx.name(), ctx.handler(), immovable)
                    && !isWatched(ctx)
                    && PipelineExecutors.whyUnknown(ctx, immovable) == null) {
                trackers.add(WriteTracker.install(ctx));
            }
        }
        return trackers.size() > before;
    }

    private boolean isWatched(ChannelHandlerContext handler) {
        for (WriteTracker tracker : trackers) {
            if (tracker.watches(handler)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isToBeWatched(String name, ChannelHandler handler, ImmovableHandlers immovable) {
        return WriteTracker.mayKeep(handler) && !name.startsWith(OWN) && !immovable.isVouchedFor(handler);
    }

    /** Returns why it is not known whether a handler keeps writes back; {@code null} if it is known. */
    String whyUnknown(ChannelHandlerContext handler, ImmovableHandlers immovable) {
        if (!isToBeWatched(handler.name(), handler.handler(), immovable)) {
            return null;
        }
        if (isWatched(handler)) {
            return null;
        }
        return "handler " + handler.handler().getClass().getName()
                + " was added to an active connection and may keep writes back: add it when the channel is initialised,"
                + " or vouch for its class";
    }

    /** Returns which handler keeps writes back; {@code null} if none does. */
    String whyBusy() {
        for (int i = 0; i < trackers.size(); i++) {
            WriteTracker tracker = trackers.get(i);
            int kept = tracker.kept();
            if (kept > 0) {
                return "handler " + tracker.handler().getClass().getName() + " keeps back " + kept
                        + (kept == 1 ? " write" : " writes");
            }
        }
        return null;
    }
}
