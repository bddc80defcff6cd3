package io.escrow.client;

import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.codec.Frame;
import io.netty.util.ReferenceCountUtil;

/** Holds the frame of one request, and handles the answer. Used on the event loop only. */
abstract class Request {

    private final Frame frame;
    private boolean lastOfPacket;

    Request(Frame frame) {
        this.frame = frame;
    }

    final Frame frame() {
        return frame;
    }

    final boolean lastOfPacket() {
        return lastOfPacket;
    }

    final void markLastOfPacket() {
        lastOfPacket = true;
    }

    /** Returns whether a frame is of the kind that answers this request when it was carried out. */
    final boolean isAnsweredBy(Frame answer) {
        if (frame instanceof Frame.Get) {
            return answer instanceof Frame.Add;
        } else if (frame instanceof Frame.Tag) {
            return answer instanceof Frame.Info;
        } else if (frame instanceof Frame.ListRequest) {
            return answer instanceof Frame.ListPage;
        }
        return answer instanceof Frame.Reply;
    }

    /** Returns whether the caller gave the request up, so that it need not be sent. */
    abstract boolean isAbandoned();

    /** Returns whether {@link #sent()} must be called. */
    boolean asksWhenSent() {
        return false;
    }

    /** Called when the packet with this request was given to the kernel. */
    void sent() {}

    /** Takes the answer, and owns the descriptor in it. */
    abstract void succeed(Frame answer);

    abstract void fail(EscrowException cause);

    /**
     * Fails because the connection ended after this request was sent, and before it was answered.
     *
     * @param goesOn whether requests that were not sent wait for another connection
     */
    void lost(EscrowConnectionException doubtful, boolean goesOn) {
        fail(doubtful);
    }

    /** Releases an answer that no caller waits for. */
    static void discard(Frame answer) {
        if (answer instanceof Frame.Add add) {
            ReferenceCountUtil.release(add.descriptor());
        }
    }
}
