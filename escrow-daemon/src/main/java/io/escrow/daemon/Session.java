package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.ProtocolException;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoredSlot;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out the requests of one client in order, and answers each. The answers to a packet are sent together.
 *
 * <p>Reads everything that the client has sent, even when the client has gone and can't be answered.
 */
final class Session extends ChannelInboundHandlerAdapter {

    private static final Logger logger = LoggerFactory.getLogger(Session.class);

    /** The check costs two system calls, a fifth of an ADD in a packet of many. */
    private static final int CHECKS_PER_PACKET = 8;

    private enum State {
        GREETING,
        SERVING,
        ENDING
    }

    private final Store store;
    private final Limits limits;
    private final HangupDetector hangups;
    private final Predicate<OwnedDescriptor> ownConnections;
    private final SessionRecord sessionRecord;
    private final FailureDetector failures;
    private final BooleanSupplier useBatches;
    private final Runnable changed;
    private State state = State.GREETING;
    private boolean clientKeepsFlags;
    private boolean batches;
    private boolean pausing;
    private int checks;

    /**
     * Creates a session that waits for a greeting.
     *
     * @param ownConnections recognizes the descriptors of connections to this daemon
     * @param useBatches has the descriptors of each packet sent and received in one message, and returns whether it can
     * @param changed called when the client has greeted
     */
    Session(
            Store store,
            Limits limits,
            HangupDetector hangups,
            Predicate<OwnedDescriptor> ownConnections,
            SessionRecord sessionRecord,
            FailureDetector failures,
            BooleanSupplier useBatches,
            Runnable changed) {
        this.store = store;
        this.limits = limits;
        this.hangups = hangups;
        this.ownConnections = ownConnections;
        this.sessionRecord = sessionRecord;
        this.failures = failures;
        this.useBatches = useBatches;
        this.changed = changed;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg == PacketEnd.INSTANCE) {
            endPacket(ctx);
        } else if (msg instanceof Frame.Hello && state == State.SERVING) {
            fail(ctx, Status.EPROTO, "a second HEL (expected: one, in the first packet of the session)");
        } else if (msg instanceof Frame frame && state == State.SERVING) {
            Frame answer = answer(frame);
            sessionRecord.answered(frame, answer);
            ctx.write(answer, ctx.voidPromise());
        } else if (msg instanceof Frame.Hello hello && state == State.GREETING) {
            greet(ctx, hello);
        } else {
            discard(msg);
            if (state == State.GREETING) {
                fail(ctx, Status.EPROTO, "the first frame is not HEL");
            }
        }
    }

    private void greet(ChannelHandlerContext ctx, Frame.Hello hello) {
        if (hello.version() == Frame.VERSION) {
            state = State.SERVING;
            clientKeepsFlags = hello.keepsFlags();
            batches = hello.batches() && useBatches.getAsBoolean();
            sessionRecord.greeted(hello.connectedAt());
            changed.run();
            ctx.write(Frame.Hello.own(limits, batches), ctx.voidPromise());
        } else {
            fail(ctx, Status.EPROTO, "protocol version: " + hello.version() + " (expected: " + Frame.VERSION + ")");
        }
    }

    private void endPacket(ChannelHandlerContext ctx) {
        checks = 0;
        ctx.flush();
        if (pausing || !ctx.channel().isWritable()) {
            // The client does not read its answers. It has to read them before it can send more requests.
            ctx.channel().config().setAutoRead(false);
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (ctx.channel().isWritable() && !pausing && state != State.ENDING) {
            ctx.channel().config().setAutoRead(true);
        }
        ctx.fireChannelWritabilityChanged();
    }

    /** Goes on with a session that another daemon has begun. */
    void resumed(boolean greeted, boolean keepsFlags, boolean usesBatches) {
        state = greeted ? State.SERVING : State.GREETING;
        clientKeepsFlags = keepsFlags;
        batches = usesBatches;
    }

    /** Sets whether nothing is to be read behind the packet that is under way. */
    void pause(boolean pause) {
        pausing = pause;
    }

    boolean isGreeted() {
        return state == State.SERVING;
    }

    boolean isEnding() {
        return state == State.ENDING;
    }

    boolean keepsFlags() {
        return clientKeepsFlags;
    }

    boolean usesBatches() {
        return batches;
    }

    private Frame answer(Frame request) {
        try {
            if (request instanceof Frame.Add add) {
                return add(add);
            } else if (request instanceof Frame.Get get) {
                return get(get);
            } else if (request instanceof Frame.Update update) {
                store.update(update.tag(), update.index(), update.payload(), update.farewell());
                return Frame.Reply.OK;
            } else if (request instanceof Frame.Delete delete) {
                store.delete(delete.tag(), delete.index());
                return Frame.Reply.OK;
            } else if (request instanceof Frame.Tag tag) {
                TagInfo info = store.info(tag.tag());
                return new Frame.Info(tag.tag(), info.used(), info.end(), info.payloadBytes());
            } else if (request instanceof Frame.ListRequest list) {
                return list(list);
            } else if (request instanceof Frame.Invalid invalid) {
                return new Frame.Reply(invalid.status(), invalid.text());
            }
            throw new IllegalStateException("a frame that the codec should have refused: " + request);
        } catch (EscrowException e) {
            return new Frame.Reply(e.status(), e.text());
        }
    }

    private Frame get(Frame.Get get) throws EscrowException {
        StoredSlot slot = store.get(get.tag(), get.index());
        if (slot.keepFlags() && !clientKeepsFlags) {
            throw new EscrowException(
                    Status.EOPNOTSUPP,
                    "slot " + get.tag() + "/" + get.index()
                            + " holds a descriptor that this client can't receive without"
                            + " changing the flags of its open file, because it can't use io_uring");
        }
        OwnedDescriptor descriptor = slot.descriptor();
        return new Frame.Add(
                get.tag(),
                get.index(),
                slot.number(),
                slot.payload(),
                slot.farewell(),
                slot.keepFlags(),
                // Retained, because a DEL after this GET could close it before it is sent.
                descriptor == null ? null : descriptor.retain());
    }

    private Frame add(Frame.Add add) throws EscrowException {
        OwnedDescriptor descriptor = (OwnedDescriptor) add.descriptor();
        try {
            if (descriptor != null && checks++ < CHECKS_PER_PACKET && ownConnections.test(descriptor)) {
                throw new EscrowException(
                        Status.EINVAL,
                        "the descriptor for slot " + add.tag() + "/" + add.index() + " is a connection to this escrowd:"
                                + " stored here, it would keep its session open when its client has gone");
            }
            StoredSlot slot = new StoredSlot(
                    add.number(),
                    add.payload(),
                    add.farewell(),
                    add.keepFlags(),
                    descriptor,
                    sessionRecord.peer(),
                    System.currentTimeMillis(),
                    store.nextFilling());
            store.add(add.tag(), add.index(), slot);
        } catch (EscrowException e) {
            ReferenceCountUtil.release(descriptor);
            throw e;
        }
        return Frame.Reply.OK;
    }

    private Frame list(Frame.ListRequest request) throws EscrowException {
        int most = request.most();
        if (most < 1 || most > Frame.ListRequest.PAGE) {
            throw new EscrowException(
                    Status.EINVAL, "slots in a page: " + most + " (expected: 1.." + Frame.ListRequest.PAGE + ")");
        }
        List<SlotInfo> page = store.list(request.tag(), request.from(), most);
        int last =
                page.isEmpty() ? Integer.MAX_VALUE : page.get(page.size() - 1).index();
        boolean more = page.size() == most && store.info(request.tag()).end() > last + 1L;
        return new Frame.ListPage(
                request.tag(), more ? last + 1 : -1, request.look() ? store.markHungUp(page, hangups) : page);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (cause instanceof ProtocolException) {
            fail(ctx, Status.EPROTO, cause.getMessage());
        } else if (cause instanceof EscrowException e) {
            fail(ctx, e.status(), e.text());
        } else if (cause instanceof IOException) {
            logger.atDebug().setCause(cause).log("connection to the client failed");
        } else {
            logger.atError()
                    .addKeyValue("pid", sessionRecord.peer().pid())
                    .setCause(cause)
                    .log("session failed");
            failures.check(cause);
            ctx.close();
        }
    }

    /** Sends the reason to the client, and ends the session. */
    private void fail(ChannelHandlerContext ctx, Status status, String text) {
        if (state != State.ENDING) {
            state = State.ENDING;
            sessionRecord.failed(status, text);
            ctx.channel().config().setAutoRead(false);
            ctx.writeAndFlush(new Frame.Reply(status, text)).addListener(ChannelFutureListener.CLOSE);
        }
    }

    private static void discard(Object msg) {
        if (msg instanceof Frame.Add add) {
            ReferenceCountUtil.release(add.descriptor());
        } else {
            ReferenceCountUtil.release(msg);
        }
    }
}
