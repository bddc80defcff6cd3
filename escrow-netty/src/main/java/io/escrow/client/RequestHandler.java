package io.escrow.client;

import static java.util.Objects.requireNonNullElse;

import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.FrameCodec;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.ProtocolException;
import io.escrow.codec.Wire;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.function.Consumer;

/**
 * Packs waiting requests into packets, keeps a few packets in flight, and gives each answer to its request, in order.
 * Belongs to one connection, and runs on its event loop.
 */
final class RequestHandler extends ChannelInboundHandlerAdapter {

    /** Is told that the connection has ended. */
    interface EndListener {

        /**
         * Called before the requests fail that were sent.
         *
         * @param text says that it has ended, and why
         * @param cause why it has ended; {@code null} if that is not known
         * @return whether those that were not sent wait for another connection
         */
        boolean lost(String text, Throwable cause);

        /** Called after the requests have failed that were sent and not answered, so many of them. */
        void ended(String text, Throwable cause, int inDoubt);
    }

    private final Channel channel;
    private final Limits limits;
    private final boolean daemonKeepsFlags;
    private final RequestQueue queue;
    private final EndListener listener;
    private final Consumer<Boolean> descriptorsMayCome;
    private final Queue<Request> sent = new ArrayDeque<>();
    /** How many of those that are sent fetch a slot. */
    private int fetching;

    private int packetsInFlight;
    private Throwable closeCause;

    RequestHandler(Connection connection, RequestQueue queue, EndListener listener) {
        this.channel = connection.channel();
        this.limits = connection.daemon().limits();
        this.daemonKeepsFlags = connection.daemon().keepsFlags();
        this.descriptorsMayCome = connection.descriptorsMayCome();
        this.queue = queue;
        this.listener = listener;
    }

    void sendPackets() {
        // A channel is closed some time before channelInactive: what is not sent by then is certainly never sent.
        while (channel.isActive() && packetsInFlight < limits.packetsInFlight() && fillPacket()) {
            packetsInFlight++;
            descriptorsMayCome.accept(fetching > 0);
            channel.flush();
        }
    }

    private boolean fillPacket() {
        int frames = 0;
        int withDescriptor = 0;
        int bytes = 0;
        Request last = null;
        List<Request> asking = null;
        for (Request request = peek(); request != null && frames < limits.packetFrames(); request = peek()) {
            Frame frame = request.frame();
            int length = FrameCodec.maxLength(frame);
            boolean descriptor =
                    frame instanceof Frame.Get || (frame instanceof Frame.Add add && add.descriptor() != null);
            if (bytes + length > limits.packetBytes() || (descriptor && withDescriptor == limits.packetDescriptors())) {
                break;
            }
            queue.take();
            frames++;
            bytes += length;
            withDescriptor += descriptor ? 1 : 0;
            fetching += frame instanceof Frame.Get ? 1 : 0;
            sent.add(request);
            if (last != null) {
                channel.write(last.frame(), channel.voidPromise());
            }
            last = request;
            if (request.asksWhenSent()) {
                asking = asking == null ? new ArrayList<>() : asking;
                asking.add(request);
            }
        }
        if (last == null) {
            return false;
        }
        last.markLastOfPacket();
        writeLast(last.frame(), asking);
        return true;
    }

    /** Completes a packet, of which all is sent when its last frame is. */
    private void writeLast(Frame frame, List<Request> asking) {
        if (asking == null) {
            channel.write(frame, channel.voidPromise());
        } else {
            ChannelFuture written = channel.write(frame);
            asking.forEach(request -> callWhenSent(request, written));
        }
    }

    private static void callWhenSent(Request request, ChannelFuture written) {
        written.addListener(f -> {
            if (f.isSuccess()) {
                request.sent();
            }
        });
    }

    /** Returns the next request to send without taking it, or {@code null}. */
    private Request peek() {
        for (Request request = queue.peek(); request != null; request = queue.peek()) {
            EscrowException refusal = refusal(request.frame());
            if (refusal == null) {
                return request;
            }
            queue.take();
            request.fail(refusal);
        }
        return null;
    }

    /** Returns why a request can't be sent; {@code null} if it can. */
    private EscrowException refusal(Frame request) {
        int tag = request.tag();
        if (tag < 0 || tag >= Limits.MAX_TAGS) {
            // On the wire it would become another tag.
            return new EscrowException(Status.EINVAL, "tag: " + tag + " (expected: 0.." + (limits.tags() - 1) + ")");
        }
        if (request instanceof Frame.Add add && add.descriptor() != null) {
            if (isOwn(add.descriptor())) {
                return new EscrowException(
                        Status.EINVAL,
                        "descriptor " + add.descriptor().intValue() + " is the connection to escrowd itself");
            } else if (add.keepFlags() && !daemonKeepsFlags) {
                return new EscrowException(
                        Status.EOPNOTSUPP,
                        requireNonNullElse(Wire.flagsLost(add.descriptor()), "a descriptor that was closed meanwhile")
                                + ": escrowd can't use io_uring, which keeps the flags");
            }
        }
        EscrowException problem = tooLong("payload", request.payload(), limits.payload());
        return problem == null ? tooLong("farewell", request.farewell(), limits.farewell()) : problem;
    }

    private boolean isOwn(FileDescriptor descriptor) {
        return channel instanceof UnixChannel own && own.fd().intValue() == descriptor.intValue();
    }

    private static EscrowException tooLong(String what, byte[] bytes, int limit) {
        return bytes == null || bytes.length <= limit
                ? null
                : new EscrowException(
                        Status.EMSGSIZE, what + " length: " + bytes.length + " (expected: <= " + limit + ")");
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws EscrowException {
        if (msg == PacketEnd.INSTANCE) {
            sendPackets();
        } else if (msg instanceof Frame frame) {
            answer(frame);
        } else {
            ReferenceCountUtil.release(msg);
        }
    }

    private void answer(Frame answer) throws EscrowException {
        if (answer instanceof Frame.Reply end && endsSession(end.status())) {
            // This is no answer to a request: the daemon says why it ends the session.
            throw new EscrowException(end.status(), end.text());
        }
        Request request = sent.poll();
        if (request == null) {
            Request.discard(answer);
            throw new ProtocolException("an answer without a request: " + answer);
        }
        fetching -= request.frame() instanceof Frame.Get ? 1 : 0;
        if (request.lastOfPacket()) {
            packetsInFlight--;
        }
        if (answer instanceof Frame.Reply reply && reply.status() != Status.OK) {
            request.fail(new EscrowException(reply.status(), reply.text()));
        } else if (answer instanceof Frame.Invalid invalid) {
            request.fail(new EscrowException(invalid.status(), invalid.text()));
        } else if (request.isAnsweredBy(answer)) {
            request.succeed(answer);
        } else {
            Request.discard(answer);
            String text = "an answer of the wrong kind to " + request.frame() + ": " + answer;
            request.fail(new EscrowException(Status.EPROTO, text));
            throw new ProtocolException(text);
        }
    }

    /** Returns whether a status ends the session: no request has such a status, or there is no request. */
    private boolean endsSession(Status status) {
        return status == Status.ECANCELED || status == Status.ETIMEDOUT || (sent.isEmpty() && status != Status.OK);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        closeCause = cause;
        ctx.close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        String text = "the connection to escrowd ended" + (closeCause == null ? "" : ": " + closeCause.getMessage());
        boolean goesOn = listener.lost(text, closeCause);
        int inDoubt = sent.size();
        EscrowConnectionException doubtful = new EscrowConnectionException(text, true, closeCause);
        for (Request request = sent.poll(); request != null; request = sent.poll()) {
            request.lost(doubtful, goesOn);
        }
        listener.ended(text, closeCause, inDoubt);
    }
}
