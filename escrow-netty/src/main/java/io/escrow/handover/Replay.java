package io.escrow.handover;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** Has an upgrade request answered once more, so that the pipeline becomes what it was; its answer goes nowhere. */
final class Replay {

    /** Handlers may decide about an upgrade asynchronously; but an adoption must end. */
    private static final int SECONDS = 10;

    private final ChannelHandlerContext gate;
    private final ChannelHandlerContext codec;
    private final Runnable end;
    private final Promise<Void> done;

    /** Replays from a gate on, until the HTTP codec has gone; then calls {@code end}. */
    Replay(ChannelHandlerContext gate, ChannelHandlerContext codec, Runnable end) {
        this.gate = gate;
        this.codec = codec;
        this.end = end;
        this.done = gate.executor().newPromise();
    }

    Future<Void> run(ByteBuf request) {
        Future<?> timeout = gate.executor()
                .schedule(() -> fail("it was not answered within " + SECONDS + " s"), SECONDS, TimeUnit.SECONDS);
        done.addListener(f -> timeout.cancel(false));
        gate.fireChannelRead(request);
        gate.fireChannelReadComplete();
        check();
        return done;
    }

    void answered(boolean expected) {
        if (expected) {
            // The codec goes when the answer is written.
            gate.executor().execute(this::check);
        } else {
            fail("it was answered otherwise this time");
        }
    }

    private void check() {
        if (codec.isRemoved() && done.trySuccess(null)) {
            end.run();
        }
    }

    void fail(String reason) {
        // Goes on swallowing: nothing of this must reach the peer.
        done.tryFailure(new IOException("the upgrade could not be repeated: " + reason));
    }
}
