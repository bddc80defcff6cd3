package io.escrow.examples;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.client.EscrowClient;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import java.util.BitSet;

/**
 * Puts each accepted connection into the escrow before it is served, and empties its slot when it is closed. This handler
 * belongs in the pipeline of the listener, on the event loop of the escrow's client.
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

    /** Receives an accepted connection. It is not registered yet, so its descriptor cannot be closed before it is sent. */
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

    /** Continues a connection of the previous process. */
    void adopt(Entry entry) {
        EpollSocketChannel connection =
                new EpollSocketChannel(entry.takeDescriptor().intValue());
        if (connection.isActive()) {
            adopted++;
            used.set(entry.index());
            serve(connection, entry.index());
        } else {
            // The peer has reset it in the meantime. A registered channel would not report that.
            connection.unsafe().closeForcibly();
            escrow.delete(tag, entry.index());
        }
    }

    private void serve(EpollSocketChannel connection, int index) {
        connection.closeFuture().addListener(closed -> {
            escrow.delete(tag, index);
            used.clear(index);
        });
        // ServerBootstrap registers the connection and builds its pipeline.
        listener.fireChannelRead(connection);
    }

    /** Returns how many connections were adopted. To be called after the call that adopts them. */
    int adopted() {
        return adopted;
    }
}
