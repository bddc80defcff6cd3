package io.escrow.client;

import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.Wire;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Answers a {@link RehearsalClient} as a daemon does, and closes what it holds when its connection ends. */
final class RehearsalDaemon extends ChannelInboundHandlerAdapter {

    private static final Frame OK = new Frame.Reply(Status.OK, "");
    private static final Frame EMPTY = new Frame.Reply(Status.ENOENT, "the slot is empty");

    private final Wire wire;
    private final Map<SlotKey, Frame.Add> slots = new HashMap<>();

    /** Answers on a connection; its wire is the daemon's side. */
    RehearsalDaemon(Wire wire) {
        this.wire = wire;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg == PacketEnd.INSTANCE) {
            ctx.flush();
        } else {
            ctx.write(answer(msg), ctx.voidPromise());
        }
    }

    private Frame answer(Object request) {
        if (request instanceof Frame.Add add) {
            ReferenceCountUtil.release(descriptor(slots.put(new SlotKey(add.tag(), add.index()), add)));
            return OK;
        } else if (request instanceof Frame.Get get) {
            Frame.Add held = slots.get(new SlotKey(get.tag(), get.index()));
            ReferenceCountUtil.retain(descriptor(held));
            return held == null ? EMPTY : held;
        } else if (request instanceof Frame.Update update) {
            return slots.computeIfPresent(
                                    new SlotKey(update.tag(), update.index()), (key, held) -> updated(held, update))
                            == null
                    ? EMPTY
                    : OK;
        } else if (request instanceof Frame.Delete delete) {
            Frame.Add held = slots.remove(new SlotKey(delete.tag(), delete.index()));
            ReferenceCountUtil.release(descriptor(held));
            return held == null ? EMPTY : OK;
        } else if (request instanceof Frame.Tag tag) {
            return new Frame.Info(tag.tag(), 0, 0, 0);
        } else if (request instanceof Frame.ListRequest list) {
            return page(list);
        } else if (request instanceof Frame.Hello hello) {
            boolean batches = hello.batches() && wire.canUseBatches();
            if (batches) {
                wire.useBatches();
            }
            return Frame.Hello.own(Limits.DEFAULT, batches);
        }
        return new Frame.Reply(Status.EINVAL, "no rehearsal asks for this: " + request);
    }

    private Frame page(Frame.ListRequest list) {
        List<SlotInfo> used = slots.values().stream()
                .filter(held -> held.tag() == list.tag() && held.index() >= list.from())
                .sorted(Comparator.comparingInt(Frame.Add::index))
                .limit(list.most())
                .map(held ->
                        new SlotInfo(held.tag(), held.index(), held.payload().length, held.descriptor() != null, false))
                .toList();
        int next = used.size() < list.most() ? -1 : used.get(used.size() - 1).index() + 1;
        return new Frame.ListPage(list.tag(), next, used);
    }

    private static Object descriptor(Frame.Add held) {
        return held == null ? null : held.descriptor();
    }

    private static Frame.Add updated(Frame.Add held, Frame.Update update) {
        return new Frame.Add(
                held.tag(),
                held.index(),
                held.number(),
                update.payload(),
                update.farewell() == null ? held.farewell() : update.farewell(),
                held.keepFlags(),
                held.descriptor());
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        slots.values().forEach(held -> ReferenceCountUtil.release(descriptor(held)));
        slots.clear();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }
}
