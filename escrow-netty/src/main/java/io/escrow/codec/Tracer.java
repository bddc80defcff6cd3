package io.escrow.codec;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.unix.FileDescriptor;
import java.io.PrintStream;

/** Prints every frame as one line: {@code send: {ADD   0   0   5    0} (5)   0}. */
public final class Tracer extends ChannelDuplexHandler {

    private final PrintStream out;

    /**
     * Makes a tracer.
     *
     * @param out the stream to print on; never closed
     */
    public Tracer(PrintStream out) {
        this.out = out;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        trace("recv", msg);
        ctx.fireChannelRead(msg);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        trace("send", msg);
        ctx.write(msg, promise);
    }

    private void trace(String direction, Object msg) {
        if (msg instanceof Frame frame) {
            FileDescriptor descriptor = frame instanceof Frame.Add add ? add.descriptor() : null;
            out.println(String.format(
                    "%s: {%s} (%d) %3d",
                    direction,
                    describe(frame),
                    descriptor == null ? -1 : descriptor.intValue(),
                    frame.payload().length));
        }
    }

    private static String describe(Frame frame) {
        if (frame instanceof Frame.Add f) {
            return String.format("ADD %3d %3d %3d %4d", f.tag(), f.index(), f.number(), f.payload().length);
        } else if (frame instanceof Frame.Get f) {
            return String.format("GET %3d %3d", f.tag(), f.index());
        } else if (frame instanceof Frame.Update f) {
            return String.format("UPD %3d %3d %4d", f.tag(), f.index(), f.payload().length);
        } else if (frame instanceof Frame.Delete f) {
            return String.format("DEL %3d %3d", f.tag(), f.index());
        } else if (frame instanceof Frame.Reply f) {
            return String.format("REP %3d \"%s\"", -f.status().errno(), f.text());
        } else if (frame instanceof Frame.Tag f) {
            return String.format("TAG %3d", f.tag());
        } else if (frame instanceof Frame.Info f) {
            return String.format("INF %3d %3d %3d %4d", f.tag(), f.used(), f.end(), f.payloadBytes());
        } else if (frame instanceof Frame.ListRequest f) {
            return String.format("LST %3d %3d %3d", f.tag(), f.from(), f.most());
        } else if (frame instanceof Frame.ListPage f) {
            return String.format("LST %3d %3d %3d", f.tag(), f.next(), f.slots().size());
        } else if (frame instanceof Frame.Hello f) {
            return String.format(
                    "HEL %3d %3d",
                    f.version(), f.limits() == null ? 0 : f.limits().tags());
        } else {
            Frame.Invalid f = (Frame.Invalid) frame;
            return String.format("??? %3d \"%s\"", -f.status().errno(), f.text());
        }
    }
}
