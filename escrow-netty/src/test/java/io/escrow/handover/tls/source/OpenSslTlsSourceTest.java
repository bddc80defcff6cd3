package io.escrow.handover.tls.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.tls.record.TlsState;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSslContextOption;
import io.netty.handler.ssl.OptionalSslHandler;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SniHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.netty.internal.tcnative.SSL;
import io.netty.util.DomainWildcardMappingBuilder;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Moves connections of BoringSSL whose clients are BoringSSL or the JDK's. */
class OpenSslTlsSourceTest {

    private static final String TLS_1_3 = "TLSv1.3";

    private TlsPair pair;

    @AfterEach
    void close() {
        if (pair != null) {
            pair.close();
        }
        assertEquals(0, KeyLog.followed());
    }

    private static SslContextBuilder server(TestKeys keys) throws Exception {
        return SslContextBuilder.forServer(keys.keys()).sslProvider(SslProvider.OPENSSL);
    }

    private static SslContextBuilder client(SslProvider provider, TestKeys keys) throws Exception {
        return SslContextBuilder.forClient().sslProvider(provider).trustManager(keys.trust());
    }

    private static SslHandler handler(SslContext context) {
        return context.newHandler(ByteBufAllocator.DEFAULT, "localhost", 1);
    }

    private void connect(SslContext client, SslContext server, long seed) {
        pair = new TlsPair(
                handler(client),
                new OpenSslTlsSource(List.of(server)),
                server.newHandler(ByteBufAllocator.DEFAULT),
                seed);
    }

    @ParameterizedTest
    @CsvSource({
        "JDK,     TLSv1.3, TLS_AES_128_GCM_SHA256,                        EC",
        "JDK,     TLSv1.3, TLS_AES_256_GCM_SHA384,                        RSA",
        "JDK,     TLSv1.3, TLS_CHACHA20_POLY1305_SHA256,                  EC",
        "JDK,     TLSv1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,       EC",
        "JDK,     TLSv1.2, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,         RSA",
        "JDK,     TLSv1.2, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, EC",
        "OPENSSL, TLSv1.3, ,                                              EC",
        "OPENSSL, TLSv1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,         RSA",
        "OPENSSL, TLSv1.2, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,   RSA",
    })
    void connectionGoesOn(SslProvider provider, String protocol, String suite, TestKeys keys) throws Exception {
        SslContextBuilder builder = client(provider, keys).protocols(protocol);
        if (suite != null) {
            builder.ciphers(List.of(suite));
        }
        SslContextBuilder serverBuilder = server(keys);
        if (suite != null) {
            serverBuilder.ciphers(List.of(suite));
        }
        SslContext client = builder.build();
        SslContext server = serverBuilder.build();
        for (int seed = 0; seed < 10; seed++) {
            connect(client, server, seed);
            for (int i = 0; i < seed; i++) {
                pair.exchange(i % 3 == 2 ? 60_000 : 200);
            }
            assertEquals(protocol, pair.serverTls().engine().getSession().getProtocol());
            pair.moveServer();
            for (int i = 0; i < 5; i++) {
                pair.exchange(i % 3 == 2 ? 60_000 : 200);
            }
            pair.close();
            pair = null;
        }
    }

    @Test
    void connectionGoesOnWithPartOfARecord() throws Exception {
        SslContext server = server(TestKeys.EC).build();
        SslContext client = client(SslProvider.JDK, TestKeys.EC).build();
        for (int cut : new int[] {1, 4, 5, 6, 100, 900, 2_000, 15_000}) {
            connect(client, server, cut);
            byte[] sent = pair.randomBytes(1 << 14);
            pair.client.writeAndFlush(Unpooled.wrappedBuffer(sent, sent, sent));
            byte[] bytes = TlsPair.written(pair.client);
            int first = Math.min(cut, bytes.length - 1);
            TlsPair.receive(pair.server, bytes, 0, first);
            byte[] before = pair.serverSink.take();
            pair.moveServer();
            TlsPair.receive(pair.server, bytes, first, bytes.length - first);
            assertEquals(3 * sent.length, before.length + pair.serverSink.take().length);
            pair.exchange(1_000);
            pair.close();
        }
        pair = null;
    }

    @ParameterizedTest
    @CsvSource({"TLSv1.3", "TLSv1.2"})
    void handoverMayFailWithPartOfARecord(String protocol) throws Exception {
        SslContext server = server(TestKeys.EC).build();
        SslContext client =
                client(SslProvider.JDK, TestKeys.EC).protocols(protocol).build();
        for (int cut : new int[] {1, 5, 100, 17_000}) {
            connect(client, server, cut);
            byte[] sent = new byte[3 << 14];
            pair.random.nextBytes(sent);
            pair.client.writeAndFlush(Unpooled.wrappedBuffer(sent));
            byte[] bytes = TlsPair.written(pair.client);
            TlsPair.receive(pair.server, bytes, 0, cut);
            pair.take();
            assertTrue(pair.tracker.received(pair.serverTls()).length > 0);
            TlsPair.receive(pair.server, bytes, cut, 1_000);
            pair.tracker.resume();
            TlsPair.receive(pair.server, bytes, cut + 1_000, bytes.length - cut - 1_000);
            assertArrayEquals(sent, pair.serverSink.take());
            pair.exchange(50_000);
            pair.moveServer();
            pair.exchange(50_000);
            pair.close();
        }
        pair = null;
    }

    @ParameterizedTest
    @EnumSource(names = {"JDK", "OPENSSL"})
    void connectionGoesOnWithAClientCertificate(SslProvider provider) throws Exception {
        SslContext server = server(TestKeys.EC)
                .trustManager(TestKeys.RSA.trust())
                .clientAuth(ClientAuth.REQUIRE)
                .build();
        SslContext client =
                client(provider, TestKeys.EC).keyManager(TestKeys.RSA.keys()).build();
        connect(client, server, 1);
        TlsState state = pair.take();
        assertEquals(1, state.session().peerCertificates().size());
        pair.tracker.resume();
        pair.exchange(1_000);
        pair.moveServer();
        pair.exchange(1_000);
        assertEquals(
                "CN=localhost",
                pair.serverTls().engine().getSession().getPeerPrincipal().getName());
    }

    @Test
    void connectionGoesOnAfterAHelloRetryRequest() throws Exception {
        SslContext server = server(TestKeys.EC)
                .option(OpenSslContextOption.GROUPS, new String[] {"P-384"})
                .build();
        connect(client(SslProvider.OPENSSL, TestKeys.EC).build(), server, 1);
        pair.exchange(1_000);
        pair.moveServer();
        pair.exchange(1_000);
    }

    @ParameterizedTest
    @CsvSource({"TLSv1.3", "TLSv1.2"})
    void connectionGoesOnAfterAResumption(String protocol) throws Exception {
        SslContext server = server(TestKeys.EC).build();
        SslContext client =
                client(SslProvider.JDK, TestKeys.EC).protocols(protocol).build();
        connect(client, server, 1);
        pair.exchange(100);
        pair.clientTls().closeOutbound();
        pair.pump();
        pair.close();
        connect(client, server, 2);
        assertTrue(SSL.isSessionReused(
                ((ReferenceCountedOpenSslEngine) pair.serverTls().engine()).sslPointer()));
        pair.exchange(100);
        pair.moveServer();
        pair.exchange(1_000);
    }

    @Test
    void keyUpdatesOfTheJdkAreFollowed() throws Exception {
        SslContext server = server(TestKeys.EC).build();
        SslContext client =
                client(SslProvider.JDK, TestKeys.EC).protocols(TLS_1_3).build();
        for (int seed = 0; seed < 20; seed++) {
            connect(client, server, seed);
            SSLEngine engine = pair.clientTls().engine();
            for (int i = 0; i <= seed % 4; i++) {
                pair.exchange(1_000);
                engine.beginHandshake();
                // What the client writes, comes with the KeyUpdate or not.
                if (pair.random.nextBoolean()) {
                    pair.client.writeAndFlush(Unpooled.wrappedBuffer(new byte[3]));
                    pair.pump();
                    assertArrayEquals(new byte[3], pair.serverSink.take());
                }
            }
            pair.moveServer();
            pair.exchange(1_000);
            engine.beginHandshake();
            pair.exchange(1_000);
            pair.close();
        }
        pair = null;
    }

    @Test
    void contextIsFoundBehindASniHandler() throws Exception {
        SslContext server = server(TestKeys.EC).build();
        SslContext other = server(TestKeys.RSA).build();
        SslContext client = client(SslProvider.JDK, TestKeys.EC).build();
        SslHandler clientTls = handler(client);
        SSLParameters parameters = clientTls.engine().getSSLParameters();
        parameters.setServerNames(List.of(new SNIHostName("one.example")));
        parameters.setEndpointIdentificationAlgorithm(null);
        clientTls.engine().setSSLParameters(parameters);
        SniHandler sni = new SniHandler(new DomainWildcardMappingBuilder<>(other)
                .add("one.example", server)
                .build());
        pair = new TlsPair(clientTls, new OpenSslTlsSource(List.of(server, other)), sni, 1);
        pair.exchange(1_000);
        TlsState state = pair.take();
        assertEquals("one.example", state.session().serverName());
        pair.tracker.resume();
        pair.moveServer();
        pair.exchange(1_000);
    }

    @ParameterizedTest
    @CsvSource({"TLSv1.3", "TLSv1.2"})
    void handshakeMayGoOnInAnotherThread(String protocol) throws Exception {
        SslContext server = server(TestKeys.EC)
                .trustManager(TestKeys.RSA.trust())
                .clientAuth(ClientAuth.REQUIRE)
                .build();
        SslContext client = client(SslProvider.JDK, TestKeys.EC)
                .keyManager(TestKeys.RSA.keys())
                .protocols(protocol)
                .build();
        for (int seed = 0; seed < 10; seed++) {
            Queue<Runnable> tasks = new ArrayDeque<>();
            pair = new TlsPair(
                    handler(client),
                    new OpenSslTlsSource(List.of(server)),
                    server.newHandler(ByteBufAllocator.DEFAULT, tasks::add),
                    seed);
            // Comes right behind the client's Finished, while a task checks the certificate.
            pair.client.writeAndFlush(Unpooled.wrappedBuffer(new byte[10]));
            while (!tasks.isEmpty() || !pair.serverTls().handshakeFuture().isDone()) {
                Thread task = new Thread(tasks.remove());
                task.start();
                task.join();
                pair.server.runPendingTasks();
                pair.pump();
            }
            assertArrayEquals(new byte[10], pair.serverSink.take());
            for (int i = 0; i < seed % 3; i++) {
                pair.exchange(1_000);
            }
            pair.moveServer();
            pair.exchange(1_000);
            pair.close();
        }
        pair = null;
    }

    @Test
    void secretsOfFailedHandshakesAreDropped() throws Exception {
        SslContext server = server(TestKeys.EC).build();
        SslContext trusting = client(SslProvider.OPENSSL, TestKeys.EC).build();
        SslContext distrusting = client(SslProvider.OPENSSL, TestKeys.RSA).build();
        OpenSslTlsSource source = new OpenSslTlsSource(List.of(server));
        for (int i = 0; i < 200; i++) {
            SslHandler tls = server.newHandler(ByteBufAllocator.DEFAULT);
            EmbeddedChannel channel = new EmbeddedChannel(tls);
            source.follow(channel.pipeline().context(tls), new PlaintextMeter());
            EmbeddedChannel peer = new EmbeddedChannel(handler(i % 2 == 0 ? trusting : distrusting));
            byte[] hello = TlsPair.written(peer);
            TlsPair.receive(channel, hello, 0, hello.length);
            assertEquals(1, KeyLog.followed());
            if (i % 4 > 1) {
                byte[] flight = TlsPair.written(channel);
                try {
                    TlsPair.receive(peer, flight, 0, flight.length);
                } catch (DecoderException e) {
                    assertEquals(1, i % 2, e.toString());
                }
            }
            if (i % 8 > 3) {
                // An alert, or the Finished.
                byte[] answer = TlsPair.written(peer);
                try {
                    TlsPair.receive(channel, answer, 0, answer.length);
                } catch (DecoderException e) {
                    assertEquals(1, i % 2, e.toString());
                }
            }
            TlsPair.finish(channel);
            TlsPair.finish(peer);
            assertEquals(0, KeyLog.followed());
        }
    }

    private void connectUnknown(ChannelHandler serverTls) throws Exception {
        pair = new TlsPair(
                handler(client(SslProvider.JDK, TestKeys.EC).build()), new OpenSslTlsSource(List.of()), serverTls, 1);
        pair.exchange(50_000);
    }

    @Test
    void contextNeedNotBeGiven() throws Exception {
        SslContext server = server(TestKeys.EC).build();
        connectUnknown(server.newHandler(ByteBufAllocator.DEFAULT));
        assertNull(pair.tracker.whyImmovable(pair.serverTls()));
        pair.moveServer();
        pair.exchange(50_000);
    }

    /** The handler comes and reads at once: nobody sees it in between. */
    @Test
    void firstConnectionOfAContextThatComesTooLateStays() throws Exception {
        SslContext server = server(TestKeys.EC).build();
        connectUnknown(new OptionalSslHandler(server));
        String why = pair.tracker.whyImmovable(pair.serverTls());
        assertTrue(why.contains("MovableTls.of"), why);
        pair.exchange(50_000);
        pair.close();
        connectUnknown(new OptionalSslHandler(server));
        assertNull(pair.tracker.whyImmovable(pair.serverTls()));
    }

    @Test
    void connectionWithCbcStays() throws Exception {
        String suite = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA";
        SslContext server = server(TestKeys.EC).ciphers(List.of(suite)).build();
        connect(client(SslProvider.JDK, TestKeys.EC).ciphers(List.of(suite)).build(), server, 1);
        pair.exchange(50_000);
        String why = pair.tracker.whyImmovable(pair.serverTls());
        assertTrue(why.contains("AES-GCM"), why);
        pair.exchange(50_000);
    }

    @Test
    void contextThatCantBeListenedToIsRefused() throws Exception {
        SslContext jdk = SslContextBuilder.forServer(TestKeys.EC.keys())
                .sslProvider(SslProvider.JDK)
                .build();
        SslContext client = client(SslProvider.OPENSSL, TestKeys.EC).build();
        assertThrows(IllegalArgumentException.class, () -> new OpenSslTlsSource(List.of(jdk)));
        assertThrows(IllegalArgumentException.class, () -> new OpenSslTlsSource(List.of(client)));
    }

    @Test
    void connectionOfAnotherProviderIsNotFollowed() throws Exception {
        SslContext jdk = SslContextBuilder.forServer(TestKeys.EC.keys())
                .sslProvider(SslProvider.JDK)
                .build();
        SslHandler tls = jdk.newHandler(ByteBufAllocator.DEFAULT);
        EmbeddedChannel channel = new EmbeddedChannel(tls);
        assertNull(new OpenSslTlsSource(List.of()).follow(channel.pipeline().context(tls), new PlaintextMeter()));
        TlsPair.finish(channel);
    }

    @Test
    void nothingGoesInOrOutWhileItIsTaken() throws Exception {
        connect(
                client(SslProvider.JDK, TestKeys.EC).build(),
                server(TestKeys.EC).build(),
                1);
        pair.take();
        ChannelFuture write = pair.server.writeAndFlush(Unpooled.wrappedBuffer(new byte[3]));
        assertTrue(write.isDone());
        assertFalse(write.isSuccess());
        assertEquals(0, TlsPair.written(pair.server).length);
        pair.client.writeAndFlush(Unpooled.wrappedBuffer(new byte[5]));
        pair.pump();
        assertEquals(0, pair.serverSink.take().length);
        pair.tracker.resume();
        assertArrayEquals(new byte[5], pair.serverSink.take());
    }

    @Test
    void forgottenConnectionGoesOn() throws Exception {
        connect(
                client(SslProvider.JDK, TestKeys.EC).build(),
                server(TestKeys.EC).build(),
                1);
        pair.client.writeAndFlush(Unpooled.wrappedBuffer(new byte[5_000]));
        byte[] bytes = TlsPair.written(pair.client);
        TlsPair.receive(pair.server, bytes, 0, 1_500);
        pair.tracker.forget();
        TlsPair.receive(pair.server, bytes, 1_500, bytes.length - 1_500);
        assertArrayEquals(new byte[5_000], pair.serverSink.take());
        assertEquals(
                List.of(),
                pair.server.pipeline().names().stream()
                        .filter(each -> each.startsWith("escrow-"))
                        .toList());
        pair.exchange(50_000);
    }
}
