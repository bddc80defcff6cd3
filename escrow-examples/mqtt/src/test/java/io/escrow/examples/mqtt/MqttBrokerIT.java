package io.escrow.examples.mqtt;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import io.escrow.testing.Successors;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.mqtt.MqttVersion;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands the packaged broker over, and kills it, while clients publish. */
class MqttBrokerIT {

    private static final int HANDOVERS = Integer.getInteger("handover.rounds", 2);
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final List<MqttPeer> peers = new ArrayList<>();
    private JarProcess state;
    private Successors brokers;
    /** Of the clients; {@code null} without TLS. */
    private SslContext tls;

    /** Starts the broker, and before it what it would start and leave behind. */
    private void start(String options) throws Exception {
        if (options.contains("--tls")) {
            tls = SslContextBuilder.forClient()
                    .trustManager(InsecureTrustManagerFactory.INSTANCE)
                    .endpointIdentificationAlgorithm(null)
                    .build();
        }
        state = JarProcess.escrowd(directory.resolve("s.state"));
        brokers = new Successors(directory, options.split(" "));
    }

    @AfterEach
    void endAll() throws IOException {
        peers.forEach(MqttPeer::close);
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        brokers.close();
        state.close();
    }

    private MqttPeer connect(MqttVersion version, String clientId, boolean kept) throws Exception {
        MqttPeer peer = new MqttPeer(group, brokers.port(), tls, version, clientId, kept);
        peers.add(peer);
        return peer;
    }

    /** Publishes one message after the other until it is stopped. */
    private static final class Publisher {
        final String topic;
        final AtomicInteger count = new AtomicInteger();
        private final AtomicReference<Throwable> failure = new AtomicReference<>();
        private final Thread thread;
        private volatile boolean stopped;

        Publisher(MqttPeer peer, String topic) {
            this.topic = topic;
            thread = new Thread(() -> run(peer), topic);
            thread.start();
        }

        private void run(MqttPeer peer) {
            try {
                while (!stopped) {
                    peer.publish(topic, String.valueOf(count.get()), false);
                    count.incrementAndGet();
                }
            } catch (Exception e) {
                failure.set(e);
            }
        }

        void awaitMore() {
            int before = count.get();
            await().atMost(PATIENCE).until(() -> count.get() >= before + 50 || failure.get() != null);
        }

        void stop() throws InterruptedException {
            stopped = true;
            thread.join();
            assertEquals(null, failure.get());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--crash-safe", "--waves=20", "--crash-safe --tls", "--waves=20 --tls --tls-provider=openssl"})
    void noMessageIsLostOrDoubled(String options) throws Exception {
        start(options);
        MqttPeer away = connect(MqttVersion.MQTT_3_1_1, "away", true);
        away.subscribe("few/#");
        away.close();
        List<MqttPeer> subscribers = new ArrayList<>();
        List<Publisher> publishers = new ArrayList<>();
        for (MqttVersion version : List.of(MqttVersion.MQTT_3_1_1, MqttVersion.MQTT_5)) {
            for (int i = 0; i < 2; i++) {
                MqttPeer subscriber = connect(version, "subscriber" + version + i, i > 0);
                subscriber.subscribe("load/+");
                subscribers.add(subscriber);
            }
        }
        for (MqttPeer subscriber : subscribers) {
            MqttVersion version = subscriber.version();
            publishers.add(new Publisher(connect(version, "", false), "load/" + version + publishers.size()));
        }
        MqttPeer seldom = connect(MqttVersion.MQTT_5, "", false);
        seldom.publish("kept/topic", "retained", true);
        List<String> few = new ArrayList<>();
        for (int i = 0; i < HANDOVERS; i++) {
            publishers.forEach(Publisher::awaitMore);
            seldom.publish("few/things", "round " + i, false);
            few.add("few/things round " + i);
            String serving = i % 2 == 0 ? brokers.waitThenEnd() : brokers.endThenStart();
            assertTrue(serving.contains(": 9 connections adopted"), serving);
        }
        publishers.forEach(Publisher::awaitMore);
        List<String> expected = new ArrayList<>();
        for (Publisher publisher : publishers) {
            publisher.stop();
            for (int i = 0; i < publisher.count.get(); i++) {
                expected.add(publisher.topic + " " + i);
            }
        }
        for (MqttPeer subscriber : subscribers) {
            assertReceives(expected, subscriber);
        }
        peers.stream().filter(peer -> peer != away).forEach(peer -> assertTrue(peer.isConnected()));
        MqttPeer back = connect(MqttVersion.MQTT_3_1_1, "away", true);
        assertTrue(back.isSessionPresent());
        assertReceives(few, back);
        back.subscribe("kept/#");
        await().atMost(PATIENCE).until(() -> back.received().contains("kept/topic retained"));
    }

    /** Each message once, those of one publisher in their order. */
    private static void assertReceives(List<String> expected, MqttPeer peer) {
        await().atMost(PATIENCE).untilAsserted(() -> assertEquals(expected.size(), peer.receivedCount()));
        List<String> byTopic = new ArrayList<>(peer.received());
        byTopic.sort((one, other) -> topic(one).compareTo(topic(other)));
        List<String> sorted = new ArrayList<>(expected);
        sorted.sort((one, other) -> topic(one).compareTo(topic(other)));
        assertEquals(sorted, byTopic);
    }

    private static String topic(String message) {
        return message.substring(0, message.indexOf(' '));
    }

    @ParameterizedTest
    @ValueSource(strings = {"--crash-safe", "--crash-safe --tls"})
    void sessionsOutliveSigkill(String options) throws Exception {
        start(options);
        // A connection over TLS that has gone on once has keys of another process.
        int kills = tls == null ? (HANDOVERS + 1) / 2 : HANDOVERS;
        MqttPeer away = connect(MqttVersion.MQTT_5, "away", true);
        away.subscribe("news/#");
        away.close();
        List<MqttPeer> all = new ArrayList<>();
        for (MqttVersion version : List.of(MqttVersion.MQTT_3_1_1, MqttVersion.MQTT_5)) {
            MqttPeer peer = connect(version, "peer" + version, false);
            peer.subscribe("news/" + version);
            all.add(peer);
        }
        all.get(0).publish("news/retained", "still there", true);
        for (int i = 0; i < kills; i++) {
            brokers.killThenStart();
            for (MqttPeer peer : all) {
                peer.publish("news/MQTT_5", "five" + i, false);
                peer.publish("news/MQTT_3_1_1", "three" + i, false);
            }
        }
        await().atMost(PATIENCE).until(() -> all.get(0).receivedCount() == 2 * kills);
        await().atMost(PATIENCE).until(() -> all.get(1).receivedCount() == 2 * kills);
        assertEquals("news/MQTT_3_1_1 three0", all.get(0).received().get(0));
        assertEquals("news/MQTT_5 five0", all.get(1).received().get(0));
        all.forEach(peer -> assertTrue(peer.isConnected()));
        MqttPeer back = connect(MqttVersion.MQTT_5, "away", true);
        assertTrue(back.isSessionPresent());
        await().atMost(PATIENCE).until(() -> back.receivedCount() == 1 + 4 * kills);
    }
}
