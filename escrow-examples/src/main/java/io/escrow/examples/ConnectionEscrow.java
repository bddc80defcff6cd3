package io.escrow.examples;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.client.EscrowClient;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import java.util.BitSet;

/**
 * Puts each connection into the escrow as it is accepted, before it is served, and empties its slot when it is closed.
 * Stands in the pipeline of the listener, on the event loop of the escrow's client.
 */
final class ConnectionEscrow extends ChannelInboundHandlerAdapter {

    private final EscrowClient escrow;
    private final int tag;
    private final BitSet used = new BitSet();
    private ChannelHandlerContext listener;
    private int adopted;

    ConnectionEscrow(EscrowClient escrow, int tag) {
        this.escrow = escrow;
        this.tag = tag;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        listener = ctx;
    }

    /** Takes an accepted connection. It is not registered yet, so nothing closes its descriptor before it is sent. */
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        EpollSocketChannel connection = (EpollSocketChannel) msg;
        int index = used.nextClearBit(0);
        used.set(index);
        escrow.add(tag, index, connection.fd(), Deposit.NO_BYTES).whenComplete((stored, failure) -> {
            if (failure == null) {
                serve(connection, index);
            } else {
                used.clear(index);
                System.err.println("echo-server: a connection will not survive a restart: " + failure.getMessage());
                ctx.fireChannelRead(connection);
            }
        });
    }

    /** Goes on with a connection that the last process had. */
    void adopt(Entry entry) {
        EpollSocketChannel connection =
                new EpollSocketChannel(entry.takeDescriptor().intValue());
        if (connection.isActive()) {
            adopted++;
            used.set(entry.index());
            serve(connection, entry.index());
        } else {
            // Its peer reset it meanwhile: the channel would never tell.
            connection.unsafe().closeForcibly();
            escrow.delete(tag, entry.index());
        }
    }

    private void serve(EpollSocketChannel connection, int index) {
        connection.closeFuture().addListener(closed -> {
            escrow.delete(tag, index);
            used.clear(index);
        });
        // To the acceptor of ServerBootstrap, which registers it and builds its pipeline.
        listener.fireChannelRead(connection);
    }

    /** Returns how many connections were adopted; to be called when the call that adopts them is done. */
    int adopted() {
        return adopted;
    }
}
