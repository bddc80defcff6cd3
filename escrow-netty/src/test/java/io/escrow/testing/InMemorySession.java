package io.escrow.testing;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.ProtocolException;
import io.escrow.testing.InMemoryEscrow.Fault;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.function.Function;

/** Carries out the requests of one client in order, and sends the answers to a packet together. */
final class InMemorySession extends ChannelInboundHandlerAdapter {

    private static final Frame OK = new Frame.Reply(Status.OK, "");

    private final InMemorySlots slots;
    private final Limits limits;
    private final Function<Frame, Fault> faults;
    private Frame.Hello client;
    private boolean ending;
    private boolean mute;

    InMemorySession(InMemorySlots slots, Limits limits, Function<Frame, Fault> faults) {
        this.slots = slots;
        this.limits = limits;
        this.faults = faults;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg == PacketEnd.INSTANCE) {
            endPacket(ctx);
        } else if (ending) {
            discard(msg);
        } else if (client != null) {
            carryOut(ctx, (Frame) msg);
        } else if (msg instanceof Frame.Hello hello && hello.version() == Frame.VERSION) {
            client = hello;
            ctx.write(Frame.Hello.own(limits, false), ctx.voidPromise());
        } else {
            discard(msg);
            fail(ctx, Status.EPROTO, "not the HEL of version " + Frame.VERSION + ": " + msg);
        }
    }

    private void carryOut(ChannelHandlerContext ctx, Frame request) {
        Fault fault = faults.apply(request);
        if (fault == Fault.REFUSED) {
            discard(request);
            ctx.write(new Frame.Reply(Status.EINVAL, "refused by the test"), ctx.voidPromise());
        } else if (fault == Fault.REQUEST_LOST) {
            discard(request);
            ending = true;
            ctx.close();
        } else {
            mute |= fault == Fault.ANSWER_LOST;
            Frame answer = answer(request);
            if (!mute) {
                ctx.write(answer, ctx.voidPromise());
            }
        }
    }

    private void endPacket(ChannelHandlerContext ctx) {
        if (mute) {
            ending = true;
            ctx.close();
            return;
        }
        ctx.flush();
        if (!ctx.channel().isWritable()) {
            ctx.channel().config().setAutoRead(false);
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (ctx.channel().isWritable() && !ending) {
            ctx.channel().config().setAutoRead(true);
        }
    }

    private Frame answer(Frame request) {
        try {
            if (request instanceof Frame.Add add) {
                return add(add);
            } else if (request instanceof Frame.Get get) {
                return get(get);
            } else if (request instanceof Frame.Update update) {
                slots.update(update);
                return OK;
            } else if (request instanceof Frame.Delete delete) {
                slots.delete(delete.tag(), delete.index());
                return OK;
            } else if (request instanceof Frame.Tag tag) {
                return slots.info(tag.tag());
            } else if (request instanceof Frame.ListRequest list) {
                return slots.list(list);
            } else if (request instanceof Frame.Invalid invalid) {
                return new Frame.Reply(invalid.status(), invalid.text());
            }
            return new Frame.Reply(Status.EINVAL, "not a request of a session: " + request);
        } catch (EscrowException e) {
            return new Frame.Reply(e.status(), e.text());
        }
    }

    private Frame add(Frame.Add add) throws EscrowException {
        try {
            slots.fill(add);
            return OK;
        } catch (EscrowException e) {
            ReferenceCountUtil.release(add.descriptor());
            throw e;
        }
    }

    private Frame get(Frame.Get get) throws EscrowException {
        Frame.Add slot = slots.get(get.tag(), get.index());
        if (slot.keepFlags() && !client.keepsFlags()) {
            throw new EscrowException(Status.EOPNOTSUPP, "the client can't receive the descriptor and keep its flags");
        }
        // The encoder releases one reference when the descriptor is sent.
        ReferenceCountUtil.retain(slot.descriptor());
        return slot;
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (cause instanceof ProtocolException) {
            fail(ctx, Status.EPROTO, cause.getMessage());
        } else if (cause instanceof EscrowException e) {
            fail(ctx, e.status(), e.text());
        } else if (!(cause instanceof IOException)) {
            ctx.fireExceptionCaught(cause);
            ctx.close();
        }
        // An IOException means that the client is gone: what it has sent is still read and carried out.
    }

    private void fail(ChannelHandlerContext ctx, Status status, String text) {
        if (!ending) {
            ending = true;
            ctx.channel().config().setAutoRead(false);
            ctx.writeAndFlush(new Frame.Reply(status, text)).addListener(ChannelFutureListener.CLOSE);
        }
    }

    private static void discard(Object msg) {
        ReferenceCountUtil.release(msg instanceof Frame.Add add ? add.descriptor() : msg);
    }
}
