package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.protocol.AttributeCodec;
import io.escrow.testing.Certificates;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
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
import io.netty.util.AttributeKey;
import io.netty.util.DomainWildcardMappingBuilder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The handlers of a TLS connection that has moved see what those of a new one do. */
class TlsPipelineTest extends TlsMoves {

    private final Queue<Object> events = new ConcurrentLinkedQueue<>();

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
        Queue<String> ends = new ConcurrentLinkedQueue<>();
        Consumer<Channel> pipeline = ch -> {
            SslHandler ssl = context.newHandler(ch.alloc());
            ssl.handshakeFuture().addListener(f -> futures.add(f.isSuccess()));
            ssl.sslCloseFuture().addListener(f -> ends.add(String.valueOf(f.cause())));
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
        assertTrue(ends.stream().anyMatch(end -> end.contains("removed before SSLEngine was closed")), ends::toString);
        peer.assertEchoes("two");
    }

    /** Sends something too early, in a process that has not got the connection yet. */
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
}
