package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.EscrowException;
import io.escrow.codec.Frame;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.InMemoryEscrow;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.util.concurrent.SingleThreadEventExecutor;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What becomes of sockets whose event loop ends just when it gets them: Netty does not close them any more. The harness sees
 * to it that none stays open.
 */
@Timeout(60)
class EndedLoopTest extends HostedHarness {

    private final EventLoopGroup ending = EventLoopGroups.epoll(1);

    @BeforeEach
    void crashSafe() {
        crashSafe = true;
    }

    /** Has the event loop end as soon as it has done what it is asked for next. */
    private void endWithNextTask() throws InterruptedException {
        SingleThreadEventExecutor loop = (SingleThreadEventExecutor) ending.next();
        CountDownLatch ends = new CountDownLatch(1);
        loop.execute(() -> {
            ending.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            int before = loop.pendingTasks();
            ends.countDown();
            await().until(() -> loop.pendingTasks() > before);
        });
        ends.await();
    }

    /** Has what is stored wait until the event loop has ended: the start does so when it has opened its listeners. */
    private void storeWhenEnded() {
        ((InMemoryEscrow) daemon).faults(request -> {
            if (request instanceof Frame.Add) {
                ending.terminationFuture().awaitUninterruptibly();
            }
            return null;
        });
    }

    /** Gives the first connection to the event loop that ends, and the others to another one when it has ended. */
    private EventLoopGroup endingThenOther() {
        AtomicBoolean first = new AtomicBoolean(true);
        return (EventLoopGroup) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {EventLoopGroup.class}, (proxy, method, arguments) -> {
                    if (first.getAndSet(false)) {
                        return method.invoke(ending, arguments);
                    }
                    ending.terminationFuture().awaitUninterruptibly();
                    return method.invoke(group, arguments);
                });
    }

    private static void assertFails(CompletableFuture<ServerHandover> start) {
        ExecutionException e = assertThrows(ExecutionException.class, () -> start.get(10, TimeUnit.SECONDS));
        assertInstanceOf(EscrowException.class, e.getCause());
    }

    private void assertNextAdopts(Peer... peers) throws Exception {
        StartReport report = startHosted(server()).startReport();
        assertEquals(List.of("echo"), report.adoptedListeners());
        assertEquals(peers.length, report.adopted(), report::toString);
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }

    @Test
    void aListenerOfAFrameworkIsNotBoundForEver() throws Exception {
        endWithNextTask();
        storeWhenEnded();
        HandoverTransport transport = server().transport();
        new FakeFramework(ending).bind(transport.serverChannels("echo"), anyAddress());
        assertFails(transport.server());
        startHosted(server());
    }

    @Test
    void whatAFrameworkDoesNotAdoptAnyMoreStaysInTheEscrow() throws Exception {
        ServerHandover before = startHosted(server());
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        handOver(before);
        endWithNextTask();
        storeWhenEnded();
        HandoverTransport transport = server().transport();
        new FakeFramework(ending).bind(transport.serverChannels("echo"), address());
        assertFails(transport.server());
        assertNextAdopts(peer);
    }

    @Test
    void connectionsThatAreAdoptedAtTheEndStayInTheEscrow() throws Exception {
        ServerHandover before = startHosted(server());
        Peer peer = connect();
        Peer other = connect();
        peer.assertEchoes(RECORD);
        other.assertEchoes(RECORD);
        handOver(before);
        endWithNextTask();
        HandoverTransport transport = server().transport();
        new FakeFramework(group, endingThenOther(), FakeFramework::echo)
                .bind(transport.serverChannels("echo"), address());
        assertFails(transport.server());
        assertNextAdopts(peer, other);
    }

    @Test
    void aListenerOfABootstrapIsNotBoundForEver() throws Exception {
        endWithNextTask();
        storeWhenEnded();
        ServerBootstrap bootstrap = new ServerBootstrap().group(ending).childHandler(new Echo());
        assertFails(server(bootstrap).start());
        start();
    }

    @Test
    void aListenerOfABootstrapStaysInTheEscrow() throws Exception {
        handOver(start());
        endWithNextTask();
        storeWhenEnded();
        ServerBootstrap bootstrap = new ServerBootstrap().group(ending).childHandler(new Echo());
        assertFails(server(bootstrap).start());
        assertEquals(List.of("echo"), start().startReport().adoptedListeners());
    }

    @Test
    void aConnectionThatIsToBeServedByAnEventLoopThatHasEndedIsClosed() throws Exception {
        assertEndsWhenLetIn(new ServerBootstrap().group(group, ending));
    }

    @Test
    void aConnectionThatWasAcceptedByAnEventLoopThatHasEndedIsClosed() throws Exception {
        assertEndsWhenLetIn(new ServerBootstrap().group(ending, group));
    }

    /** Has the event loop end between the moment in which a connection is accepted and the one in which it has been sent. */
    private void assertEndsWhenLetIn(ServerBootstrap bootstrap) throws Exception {
        EventLoopGroup sending = EventLoopGroups.epoll(1);
        bootstrap.childHandler(new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline().addLast(new Echo());
            }
        });
        ServerHandover server = start(server(escrow().group(sending), bootstrap));
        AtomicBoolean accepted = new AtomicBoolean();
        server.listeners().get(0).pipeline().addFirst(new ChannelInboundHandlerAdapter() {
            @Override
            public void channelRead(ChannelHandlerContext ctx, Object msg) {
                ctx.fireChannelRead(msg);
                accepted.set(true);
            }
        });
        // The server is done with what the start leaves to be done.
        Peer first = connect();
        awaitEscrowed(server, 1);
        first.close();
        awaitEscrowed(server, 0);
        accepted.set(false);
        sending.execute(() -> ending.terminationFuture().awaitUninterruptibly(TIME.toMillis()));
        Peer peer = connect();
        await().untilTrue(accepted);
        ending.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        peer.assertEnds();
        awaitEscrowed(server, 0);
        assertEquals(0, server.connections());
        server.close();
        sending.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }

    /** An event loop that is shut down by a task of its own closes nothing by itself. */
    @Test
    void connectionsEndWithTheirEventLoop() throws Exception {
        ServerHandover server =
                start(server(new ServerBootstrap().group(group, ending).childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo());
                    }
                })));
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        awaitEscrowed(server, 1);
        ending.next().execute(() -> ending.shutdownGracefully(0, 1, TimeUnit.SECONDS));
        peer.assertEnds();
        awaitEscrowed(server, 0);
        assertEquals(0, server.connections());
    }
}
