package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.Connection;
import io.escrow.handover.protocol.ConnectionMovedException;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.internal.EventLoops;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the futures of writes say whose bytes move with the connection, and of those whose bytes do not. */
class MovedWritesTest extends HandoverHarness {

    private static final int LARGE = 9_000_000;

    private final Queue<ChannelFuture> late = new ConcurrentLinkedQueue<>();

    /** Says goodbye when it is too late. */
    private final class Farewell extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == HandoverEvent.HANDED_OVER) {
                late.add(ctx.writeAndFlush(Unpooled.copyInt(1)));
            }
        }
    }

    private ServerHandoverBuilder sending() {
        return server(bootstrap(ch -> ch.pipeline().addLast(new Farewell())));
    }

    /** Writes more than a peer takes that does not read; the last one is not flushed. */
    private static List<ChannelFuture> write(Channel channel) {
        return EventLoops.call(channel.eventLoop(), () -> {
                    List<ChannelFuture> writes = new ArrayList<>();
                    for (int i = 0; i < 3; i++) {
                        writes.add(channel.writeAndFlush(Unpooled.wrappedBuffer(Peer.bytes(LARGE, i))));
                    }
                    writes.add(channel.write(Unpooled.wrappedBuffer(Peer.bytes(100, 3))));
                    return writes;
                })
                .join();
    }

    private static void assertReceivesAll(Peer peer) throws Exception {
        for (int i = 0; i < 3; i++) {
            peer.assertReceivesRaw(Peer.bytes(LARGE, i));
        }
        peer.assertReceivesRaw(Peer.bytes(100, 3));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void futuresOfMovedBytesSaySo(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(sending());
        Peer peer = connect();
        Channel channel = onlyConnection(server).channel();
        List<ChannelFuture> writes = write(channel);
        // What a listener does must not change what the others are told.
        writes.get(0).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
        writes.get(1).addListener(ChannelFutureListener.FIRE_EXCEPTION_ON_FAILURE);
        assertEquals(1, handOver(server).connections());
        for (ChannelFuture write : writes) {
            assertInstanceOf(ConnectionMovedException.class, write.cause());
            assertTrue(write.cause().getMessage().contains("the next process sends them"));
        }
        await().until(() -> late.size() == 1 && late.peek().isDone());
        assertNotMoved(late.peek());
        start(sending());
        assertReceivesAll(peer);
    }

    private static void assertNotMoved(ChannelFuture write) {
        assertInstanceOf(ClosedChannelException.class, write.cause());
        assertFalse(write.cause() instanceof ConnectionMovedException);
    }

    @Test
    void writesGoOnAfterAHandoverThatFails() throws Exception {
        ServerHandover server = start(sending());
        Peer peer = connect();
        List<ChannelFuture> writes = write(onlyConnection(server).channel());
        ConnectionBatch batch = takeApart(server);
        ConnectionBatch.comeBack(batch.apart().keySet()).join();
        assertReceivesAll(peer);
        for (ChannelFuture write : writes) {
            assertTrue(write.await(TIME.toMillis()) && write.isSuccess());
        }
    }

    private static ConnectionBatch takeApart(ServerHandover server) throws Exception {
        ConnectionBatch batch = new ConnectionBatch(server.context(), new Deadline(TIME));
        assertEquals(Map.of(), batch.ask(server.context().connections().all()));
        batch.takeApart();
        return batch;
    }

    @Test
    void whatIsAskedForWhenTheConnectionIsApartIsAnswered() throws Exception {
        ServerHandover server = start(sending());
        Peer peer = connect();
        Connection connection = onlyConnection(server);
        Channel channel = connection.channel();
        List<ChannelFuture> writes = write(channel);
        ConnectionBatch batch = takeApart(server);
        ChannelFuture tooLate = channel.writeAndFlush(Unpooled.copyInt(1));
        ChannelFuture firstClose = channel.close();
        ChannelFuture secondClose = channel.close();
        batch.letGo();
        assertTrue(firstClose.await(TIME.toMillis()) && firstClose.isSuccess());
        assertTrue(secondClose.await(TIME.toMillis()) && secondClose.isSuccess());
        writes.forEach(write -> assertInstanceOf(ConnectionMovedException.class, write.cause()));
        assertTrue(tooLate.await(TIME.toMillis()));
        assertNotMoved(tooLate);
        peer.close();
    }
}
