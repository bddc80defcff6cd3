package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.mqtt.MqttConnectReturnCode;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttEncoder;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttMessageBuilders;
import io.netty.handler.codec.mqtt.MqttMessageType;
import io.netty.handler.codec.mqtt.MqttPublishMessage;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.codec.mqtt.MqttVersion;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Moves connections of MQTT; the server names neither a protocol nor a handler. */
class MqttHandoverTest extends HandoverHarness {

    private static final int MAX = 200_000;
    private static final byte[] CONNACK_3 = {0x20, 2, 0, 0};
    private static final byte[] CONNACK_5 = {0x20, 3, 0, 0, 0};

    /** The types of the packets that the servers of this test have got. */
    private final List<String> packets = new CopyOnWriteArrayList<>();

    private ServerHandoverBuilder broker(boolean inWaves) {
        ServerHandoverBuilder builder = server(
                bootstrap(ch -> ch.pipeline().addLast(new MqttDecoder(MAX), MqttEncoder.INSTANCE, new SendingBack())));
        return inWaves ? builder.waves(Duration.ofMillis(20)) : builder;
    }

    private ServerHandover next(ServerHandover before, boolean inWaves) throws Exception {
        CompletableFuture<ServerHandover> starting = startNext(broker(inWaves));
        assertEquals(List.of(), handOver(before).staying());
        return add(starting.join());
    }

    private Peer connect(MqttVersion version) throws Exception {
        Peer peer = connect();
        peer.sendRaw(bytes(
                version,
                MqttMessageBuilders.connect()
                        .protocolVersion(version)
                        .clientId("me")
                        .build()));
        peer.assertReceivesRaw(version == MqttVersion.MQTT_5 ? CONNACK_5 : CONNACK_3);
        return peer;
    }

    private static byte[] publish(MqttVersion version, byte[] payload) {
        return bytes(
                version,
                MqttMessageBuilders.publish()
                        .topicName("a/b")
                        .qos(MqttQoS.AT_LEAST_ONCE)
                        .messageId(7)
                        .payload(Unpooled.wrappedBuffer(payload))
                        .build());
    }

    /** Encodes a packet for a client of a version. */
    private static byte[] bytes(MqttVersion version, MqttMessage packet) {
        EmbeddedChannel encoder = new EmbeddedChannel(MqttEncoder.INSTANCE);
        encoder.writeOutbound(MqttMessageBuilders.connect()
                .protocolVersion(version)
                .clientId("any")
                .build());
        encoder.releaseOutbound();
        encoder.writeOutbound(packet);
        ByteBuf all = Unpooled.buffer();
        for (ByteBuf part = encoder.readOutbound(); part != null; part = encoder.readOutbound()) {
            all.writeBytes(part);
            part.release();
        }
        return ByteBufUtil.getBytes(all);
    }

    @ParameterizedTest
    @CsvSource({"MQTT_3_1_1, false", "MQTT_5, false", "MQTT_3_1_1, true", "MQTT_5, true"})
    void halfPacketsGoAlong(MqttVersion version, boolean inWaves) throws Exception {
        ServerHandover server = start(broker(inWaves));
        Peer peer = connect(version);
        byte[] packet = publish(version, "hello".getBytes(UTF_8));
        for (int split : new int[] {0, 1, 2, packet.length - 1}) {
            peer.sendRaw(packet, 0, split);
            server = next(server, inWaves);
            assertEquals(1, server.startReport().adopted(), server.startReport()::toString);
            peer.sendRaw(packet, split, packet.length);
            peer.assertReceivesRaw(packet);
        }
        // What comes in several reads is kept until it is whole.
        byte[] longer = publish(version, Peer.bytes(60_000, 3));
        peer.sendRaw(longer, 0, 50_000);
        next(server, inWaves);
        peer.sendRaw(longer, 50_000, longer.length);
        peer.assertReceivesRaw(longer);
        assertEquals(1, packets.stream().filter("CONNECT"::equals).count());
    }

    @ParameterizedTest
    @EnumSource(names = {"MQTT_3_1_1", "MQTT_5"})
    void longPacketIsFinishedFirst(MqttVersion version) throws Exception {
        ServerHandover server = start(broker(false));
        Peer peer = connect(version);
        byte[] packet = publish(version, Peer.bytes(150_000, 1));
        peer.sendRaw(packet, 0, 100_000);
        await().until(() -> !isAtRest(server));
        CompletableFuture<ServerHandover> starting = startNext(broker(false));
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> !server.listeners().get(0).isRegistered());
        peer.sendRaw(packet, 100_000, packet.length);
        peer.assertReceivesRaw(packet);
        assertEquals(1, handover.join().connections());
        add(starting.join());
        byte[] short5 = publish(version, new byte[] {1, 2});
        peer.sendRaw(short5);
        peer.assertReceivesRaw(short5);
    }

    private static boolean isAtRest(ServerHandover server) {
        return onlyConnection(server)
                .channel()
                .eventLoop()
                .submit(() -> onlyConnection(server).isAtRest())
                .syncUninterruptibly()
                .getNow();
    }

    @ParameterizedTest
    @EnumSource(names = {"MQTT_3_1_1", "MQTT_5"})
    void versionOutlivesACrash(MqttVersion version) throws Exception {
        crashSafe = true;
        ServerHandover server = start(broker(false));
        Peer peer = connect(version);
        byte[] packet = publish(version, "hello".getBytes(UTF_8));
        for (int round = 0; round < 2; round++) {
            peer.sendRaw(packet);
            peer.assertReceivesRaw(packet);
            crash(server);
            server = start(broker(false));
            assertEquals(1, server.startReport().foundAfterCrash(), server.startReport()::toString);
        }
        peer.sendRaw(packet);
        peer.assertReceivesRaw(packet);
    }

    @Test
    void malformedPacketKeepsItsConnection() throws Exception {
        ServerHandover server = start(broker(false).drain(Duration.ofMillis(100)));
        Peer peer = connect(MqttVersion.MQTT_5);
        // The remaining length has five bytes; nothing more comes.
        peer.sendRaw((byte) 0x30, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF);
        await().until(() -> packets.contains("failure"));
        HandoverReport report = handOver(server);
        assertEquals(
                List.of("mqtt with a malformed message"),
                report.staying().stream().map(stays -> stays.reason()).toList());
        peer.assertReceivesRaw(new byte[] {(byte) 0xE0, 1, (byte) 0x8B}); // DISCONNECT: server shutting down
        peer.assertEnds();
        server.drained().join();
        start(broker(false));
    }

    @Test
    void packetThatIsTooLongReachesTheDecoder() throws Exception {
        start(broker(false));
        Peer peer = connect(MqttVersion.MQTT_3_1_1);
        peer.sendRaw((byte) 0x30, (byte) 0xC1, (byte) 0x9A, (byte) 0x0C); // 200,001 bytes follow
        await().until(() -> packets.contains("failure"));
    }

    /** Sends PUBLISH back as it is, which shows the version that decoder and encoder work with. */
    private final class SendingBack extends SimpleChannelInboundHandler<MqttMessage> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, MqttMessage msg) {
            if (msg.decoderResult().isFailure()) {
                packets.add("failure");
                return;
            }
            packets.add(msg.fixedHeader().messageType().name());
            if (msg.fixedHeader().messageType() == MqttMessageType.CONNECT) {
                ctx.writeAndFlush(MqttMessageBuilders.connAck()
                        .returnCode(MqttConnectReturnCode.CONNECTION_ACCEPTED)
                        .build());
            } else {
                ctx.writeAndFlush(((MqttPublishMessage) msg).retain());
            }
        }
    }
}
