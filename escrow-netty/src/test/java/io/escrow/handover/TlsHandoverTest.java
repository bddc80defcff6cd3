package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.protocol.AttributeCodec;
import io.escrow.handover.tls.MovableTls;
import io.escrow.testing.Certificates;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Capacity;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolNegotiationHandler;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OptionalSslHandler;
import io.netty.handler.ssl.SniCompletionEvent;
import io.netty.handler.ssl.SniHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.AttributeKey;
import io.netty.util.DomainWildcardMappingBuilder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS connections move, as others do. */
class TlsHandoverTest extends TlsHarness {

    private static final int MANY = 6;

    private final Queue<Object> events = new ConcurrentLinkedQueue<>();
    private Capacity capacity = Capacity.LARGE;
    private SslContext context;

    @Override
    protected AutoCloseable startDaemon(Path path) {
        return InMemoryEscrow.start(path, capacity);
    }

    SslProvider provider() {
        return SslProvider.JDK;
    }

    final ServerHandoverBuilder moving() {
        return tlsServer(context).tls(MovableTls.of(context));
    }

    /** Describes an echo server with a pipeline of its own. */
    private ServerHandoverBuilder moving(Consumer<Channel> pipeline) {
        return server(bootstrap(pipeline).childOption(ChannelOption.SO_SNDBUF, 32 * 1024))
                .tls(MovableTls.of(context));
    }

    private ServerHandover move(ServerHandover server, ServerHandoverBuilder next, int count) throws EscrowException {
        HandoverReport report = handOver(server);
        assertEquals(List.of(), report.staying());
        assertEquals(count, report.connections());
        ServerHandover started = start(next);
        assertEquals(List.of(), started.startReport().refused());
        assertEquals(count, started.startReport().adopted());
        return started;
    }

    private ServerHandover move(ServerHandover server, ServerHandoverBuilder next) throws EscrowException {
        return move(server, next, 1);
    }

    final void useVersion(String protocol) throws Exception {
        context = context(provider()).protocols(protocol).build();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "TLSv1.3 TLS_AES_128_GCM_SHA256",
                "TLSv1.3 TLS_AES_256_GCM_SHA384",
                "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256",
                "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "TLSv1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
            })
    void connectionMovesAgainAndAgain(String suite) throws Exception {
        String[] names = suite.split(" ", 2);
        context = context(provider())
                .protocols(names[0])
                .ciphers(List.of(names[1]))
                .build();
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        for (int i = 0; i < 20; i++) {
            server = move(server, moving());
            peer.assertEchoes(Peer.bytes(20_000, i));
            peer.assertEchoes("two");
        }
    }

    /** Half of them have sent half a record, or half of what is in one, and some do not read. */
    private final class Traffic {
        private final List<TlsPeer> peers = new ArrayList<>();
        private final List<byte[]> rest = new ArrayList<>();

        Traffic() throws Exception {
            for (int i = 0; i < MANY; i++) {
                TlsPeer peer = tlsClient();
                peer.assertEchoes("first");
                byte[] left = new byte[0];
                if (i % 2 == 0) {
                    byte[] records = peer.encrypt(Peer.framed(Peer.bytes(20_000, i)));
                    // In the header, in the first record, and in the second one.
                    int cut = List.of(3, 9_000, 17_000).get(i / 2 % 3);
                    peer.sendRaw(records, 0, cut);
                    left = Arrays.copyOfRange(records, cut, records.length);
                } else if (i % 6 == 1) {
                    peer.send(Peer.framed(Peer.bytes(1_000_000, i)));
                }
                peers.add(peer);
                rest.add(left);
            }
        }

        void assertUnharmed() throws Exception {
            for (int i = 0; i < MANY; i++) {
                TlsPeer peer = peers.get(i);
                peer.sendRaw(rest.get(i), 0, rest.get(i).length);
                if (i % 2 == 0) {
                    peer.assertReceives(Peer.framed(Peer.bytes(20_000, i)));
                } else if (i % 6 == 1) {
                    peer.assertReceives(Peer.framed(Peer.bytes(1_000_000, i)));
                }
                peer.assertEchoes("last");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void halfRecordsAndUnsentOnesMove(String protocol) throws Exception {
        useVersion(protocol);
        ServerHandover server = start(moving());
        Traffic traffic = new Traffic();
        for (int i = 0; i < 3; i++) {
            server = move(server, moving(), MANY);
        }
        traffic.assertUnharmed();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsMoveInWaves(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        useVersion("TLSv1.3");
        ServerHandover server = start(moving().waves(Duration.ofMillis(50)));
        Traffic traffic = new Traffic();
        for (int i = 0; i < 3; i++) {
            CompletableFuture<ServerHandover> starting = startNext(moving().waves(Duration.ofMillis(50)));
            HandoverReport report = handOver(server);
            assertEquals(List.of(), report.staying());
            assertEquals(MANY, report.connections());
            server = add(starting.join());
            assertEquals(MANY, server.startReport().adopted());
        }
        traffic.assertUnharmed();
    }

    @SuppressWarnings("try") // the refusing one closes in the middle, and again at the end
    @Test
    void waveThatIsRefusedGoesOnWithTheSameKeys() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover first = start(moving());
        Traffic traffic = new Traffic();
        ServerHandover server = move(first, moving().waves(Duration.ofMillis(50)), MANY);
        try (FakeSuccessor refusing = new FakeSuccessor(escrow(), group.next())) {
            CompletableFuture<HandoverReport> handover = server.handOver(TIME);
            refusing.meeting();
            refusing.awaitWave();
            refusing.close();
            assertEquals(MANY, handover.join().connections());
        }
        assertEquals(MANY, start(moving()).startReport().adopted());
        traffic.assertUnharmed();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void serverThatCantHandOverGoesOnWithTheSameKeys(boolean moved) throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        Traffic traffic = new Traffic();
        if (moved) {
            server = move(server, moving(), MANY);
        }
        limit(server, new Capacity(1000, 100_000, 1000));
        ServerHandover failing = server;
        EscrowException full = assertThrows(EscrowException.class, () -> handOver(failing));
        assertEquals(Status.ENOSPC, full.status());
        traffic.assertUnharmed();
        traffic = new Traffic();
        limit(server, Capacity.LARGE);
        move(server, moving(), 2 * MANY);
        traffic.assertUnharmed();
    }

    private void limit(ServerHandover server, Capacity limits) throws Exception {
        capacity = limits;
        CompletableFuture<?> lost = server.context().client().closed().toCompletableFuture();
        daemon.close();
        lost.join();
        restartDaemon();
    }

    @Test
    void serverGoesOnWhenTheDaemonIsGone() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        Traffic traffic = new Traffic();
        CompletableFuture<?> lost = server.context().client().closed().toCompletableFuture();
        daemon.close();
        lost.join();
        assertThrows(EscrowException.class, () -> handOver(server));
        traffic.assertUnharmed();
        restartDaemon();
        move(server, moving(), MANY);
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void serverClosesWithAWordAfterAMove(String protocol) throws Exception {
        useVersion(protocol);
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        server = move(server, moving());
        server = move(server, moving());
        onlyConnection(server).channel().close();
        peer.assertCloseNotify();
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void clientClosesWithAWordAfterAMove(String protocol) throws Exception {
        useVersion(protocol);
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        server = move(server, moving());
        peer.closeOutput();
        SslHandler ssl = onlyConnection(server).channel().pipeline().get(SslHandler.class);
        await().until(() -> ssl.engine().isInboundDone());
        if (protocol.equals("TLSv1.2")) {
            peer.assertCloseNotify();
        }
    }

    @Test
    void connectionThatIsHalfClosedMoves() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        peer.send(Peer.framed(Peer.bytes(1_000_000, 1)));
        peer.closeOutput();
        for (int i = 0; i < 2; i++) {
            SslHandler ssl = onlyConnection(server).channel().pipeline().get(SslHandler.class);
            await().until(() -> ssl.engine().isInboundDone());
            server = move(server, moving());
        }
        peer.assertReceives(Peer.framed(Peer.bytes(1_000_000, 1)));
        onlyConnection(server).channel().close();
        peer.assertCloseNotify();
    }

    @Test
    void keysAreRenewedBeforeAndAfterAMove() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        for (int i = 0; i < 3; i++) {
            peer.assertEchoes("one");
            peer.updateKeys();
            peer.assertEchoes("two");
            server = move(server, moving());
        }
        peer.updateKeys();
        peer.assertEchoes("three");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionIsResetWhoseProcessMayLive(boolean moved) throws Exception {
        crashSafe = true;
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        if (moved) {
            server = move(server, moving());
            peer.assertEchoes("two");
        }
        awaitEscrowed(server, 1);
        checkpointOnly(server);
        crash(server);
        ServerHandover next = start(moving());
        assertEquals(0, next.startReport().foundAfterCrash());
        // It is this one.
        assertTrue(
                next.startReport().refused().get(0).contains("nobody can tell whether its process has died"),
                () -> next.startReport().refused().toString());
        assertThrows(IOException.class, () -> peer.assertEchoes("three"));
    }

    @Test
    void connectionIsResetWhoseKeysAreNotKept() throws Exception {
        crashSafe = true;
        useVersion("TLSv1.3");
        ServerHandover server =
                start(tlsServer(context).tls(MovableTls.of(context).withoutCrashKeys()));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        awaitEscrowed(server, 1);
        checkpointOnly(server);
        crash(server);
        ServerHandover next = start(moving());
        assertTrue(
                next.startReport().refused().get(0).contains("TLS, whose keys are in no record"),
                () -> next.startReport().refused().toString());
        assertThrows(IOException.class, () -> peer.assertEchoes("two"));
    }

    /** Notes what TLS tells the handlers. */
    private final class Listener extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslHandshakeCompletionEvent || event instanceof SniCompletionEvent) {
                events.add(event);
                events.add(ServerHandover.isAdopted(ctx.channel()));
                events.add(ServerHandover.isRestoring(ctx.channel()));
            }
            ctx.fireUserEventTriggered(event);
        }
    }

    @Test
    void eventOfTheHandshakeIsFiredAgain() throws Exception {
        useVersion("TLSv1.3");
        Queue<Boolean> futures = new ConcurrentLinkedQueue<>();
        Consumer<Channel> pipeline = ch -> {
            SslHandler ssl = context.newHandler(ch.alloc());
            ssl.handshakeFuture().addListener(f -> futures.add(f.isSuccess()));
            ch.pipeline().addLast(ssl, new Listener());
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo());
        };
        ServerHandover server = start(moving(pipeline));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        assertEquals(List.of(SslHandshakeCompletionEvent.SUCCESS, false, false), List.copyOf(events));
        events.clear();
        move(server, moving(pipeline));
        assertEquals(List.of(SslHandshakeCompletionEvent.SUCCESS, true, true), List.copyOf(events));
        assertEquals(List.of(true, true), List.copyOf(futures));
        peer.assertEchoes("two");
    }

    /** Says something too early, in a process that has not got the connection yet. */
    @Test
    void whatIsWrittenBeforeTheConnectionGoesOnIsSentBehindWhatIsUnsent() throws Exception {
        useVersion("TLSv1.3");
        byte[] greeting = Peer.framed("hello".getBytes(StandardCharsets.UTF_8));
        Consumer<Channel> greets = ch -> {
            echo(ch, context);
            ch.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                @Override
                public void channelActive(ChannelHandlerContext ctx) {
                    if (ServerHandover.isAdopted(ctx.channel())) {
                        ctx.writeAndFlush(Unpooled.copiedBuffer(greeting));
                    }
                }
            });
        };
        ServerHandover server = start(moving(greets));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        byte[] much = Peer.framed(Peer.bytes(1_000_000, 1));
        peer.send(much);
        await().until(() -> onlyConnection(server).channel().bytesBeforeWritable() > 0);
        move(server, moving(greets));
        peer.assertReceives(much);
        peer.assertReceives(greeting);
        peer.assertEchoes("two");
    }

    @Test
    void pipelineIsConfiguredAgainByAlpn() throws Exception {
        context = context(provider())
                .applicationProtocolConfig(new ApplicationProtocolConfig(
                        ApplicationProtocolConfig.Protocol.ALPN,
                        ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                        ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                        "echo",
                        "other"))
                .build();
        Consumer<Channel> pipeline = ch -> ch.pipeline()
                .addLast(context.newHandler(ch.alloc()), new ApplicationProtocolNegotiationHandler("none") {
                    @Override
                    protected void configurePipeline(ChannelHandlerContext ctx, String protocol) {
                        events.add(protocol);
                        ctx.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo());
                    }
                });
        ServerHandover server = start(moving(pipeline));
        TlsPeer peer = tlsClient(engine -> {
            SSLParameters parameters = engine.getSSLParameters();
            parameters.setApplicationProtocols(new String[] {"other", "echo"});
            engine.setSSLParameters(parameters);
        });
        peer.assertEchoes("one");
        byte[] records = peer.encrypt(Peer.framed(Peer.bytes(50, 1)));
        peer.sendRaw(records, 0, records.length / 2);
        server = move(server, moving(pipeline));
        server = move(server, moving(pipeline));
        peer.sendRaw(records, records.length / 2, records.length);
        peer.assertReceives(Peer.framed(Peer.bytes(50, 1)));
        assertEquals(List.of("echo", "echo", "echo"), List.copyOf(events));
        SslHandler ssl = onlyConnection(server).channel().pipeline().get(SslHandler.class);
        assertEquals("echo", ssl.applicationProtocol());
    }

    /** As Reactor Netty does with SNI. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void handlerThatIsPutFirstMoves(boolean sni) throws Exception {
        context = context(provider()).build();
        Consumer<Channel> pipeline = ch -> {
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo());
            ch.pipeline()
                    .addFirst(
                            sni
                                    ? new SniHandler(new DomainWildcardMappingBuilder<>(context).build())
                                    : context.newHandler(ch.alloc()));
        };
        ServerHandover server = start(moving(pipeline));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        byte[] framed = peer.encrypt(Peer.framed(Peer.bytes(50, 1)));
        peer.sendRaw(framed, 0, 10);
        server = move(server, moving(pipeline));
        move(server, moving(pipeline));
        peer.sendRaw(framed, 10, framed.length);
        peer.assertReceives(Peer.framed(Peer.bytes(50, 1)));
        peer.assertEchoes("two");
    }

    @Test
    void nameOfTheServerMoves() throws Exception {
        context = context(provider()).build();
        SslContext other = context(provider()).build();
        Consumer<Channel> pipeline = ch -> {
            ch.pipeline()
                    .addLast(new SniHandler(new DomainWildcardMappingBuilder<>(other)
                            .add("localhost", context)
                            .build()))
                    .addLast(new Listener());
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo());
        };
        ServerHandover server = start(moving(pipeline));
        TlsPeer peer = tlsClient(engine -> {
            SSLParameters parameters = engine.getSSLParameters();
            parameters.setServerNames(List.of(new SNIHostName("localhost")));
            engine.setSSLParameters(parameters);
        });
        peer.assertEchoes("one");
        server = move(server, moving(pipeline));
        events.clear();
        server = move(server, moving(pipeline));
        assertEquals(6, events.size(), events::toString);
        assertEquals("localhost", ((SniCompletionEvent) events.peek()).hostname());
        peer.assertEchoes("two");
        assertNotNull(onlyConnection(server).channel().pipeline().get(SslHandler.class.getName()));
    }

    @Test
    void optionalTlsMoves() throws Exception {
        useVersion("TLSv1.3");
        Consumer<Channel> pipeline = ch -> ch.pipeline()
                .addLast(new OptionalSslHandler(context), new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo());
        ServerHandover server = start(moving(pipeline));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        server = move(server, moving(pipeline));
        peer.assertEchoes("two");
        move(server, moving(pipeline));
        peer.assertEchoes("three");
    }

    @Test
    void certificateOfTheClientAndAttributesMove() throws Exception {
        context = context(provider())
                .clientAuth(ClientAuth.REQUIRE)
                .trustManager(Certificates.trusting("client"))
                .build();
        AttributeKey<String> key = AttributeKey.valueOf("TlsHandoverTest");
        AttributeCodec<String> codec = new AttributeCodec<>() {
            @Override
            public void encode(String value, ByteBuf out) {
                out.writeCharSequence(value, StandardCharsets.UTF_8);
            }

            @Override
            public String decode(ByteBuf in) {
                return in.toString(StandardCharsets.UTF_8);
            }
        };
        ServerHandover server = start(moving().attribute(key, codec));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        onlyConnection(server).channel().attr(key).set("value");
        for (int i = 0; i < 2; i++) {
            server = move(server, moving().attribute(key, codec));
        }
        Channel channel = onlyConnection(server).channel();
        assertEquals("value", channel.attr(key).get());
        assertEquals(
                Certificates.of("client").getCertificate("mykey"),
                channel.pipeline().get(SslHandler.class).engine().getSession().getPeerCertificates()[0]);
        peer.assertEchoes("two");
    }

    @Test
    void whatNobodyAsksForMovesOn() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        byte[] records = peer.encrypt(Peer.framed(Peer.bytes(20_000, 1)));
        peer.sendRaw(records, 0, 17_000);
        Consumer<Channel> notReading = ch -> {
            echo(ch, context);
            ch.config().setAutoRead(false);
        };
        server = move(server, moving(notReading));
        server = move(server, moving(notReading));
        server = move(server, moving());
        peer.sendRaw(records, 17_000, records.length);
        peer.assertReceives(Peer.framed(Peer.bytes(20_000, 1)));
        assertEquals(1, server.connections());
    }

    @Test
    void nextVersionWithoutTlsLeavesTheConnection() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        handOver(server);
        ServerHandover without = start(tlsServer(context));
        assertEquals(0, without.startReport().adopted());
        // Keys of session tickets may be left, too.
        assertEquals(
                1,
                without.startReport().left().stream()
                        .filter(left -> left.startsWith("connection "))
                        .count());
        handOver(without);
        ServerHandover with = start(moving());
        assertEquals(1, with.startReport().adopted());
        peer.assertEchoes("two");
    }
}
