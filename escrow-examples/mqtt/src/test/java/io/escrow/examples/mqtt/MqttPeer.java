package io.escrow.examples.mqtt;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.mqtt.MqttConnAckMessage;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttEncoder;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttMessageBuilders;
import io.netty.handler.codec.mqtt.MqttMessageIdVariableHeader;
import io.netty.handler.codec.mqtt.MqttMessageType;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttPublishMessage;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.codec.mqtt.MqttVersion;
import io.netty.handler.ssl.SslContext;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A client of MQTT that keeps what it gets. Its methods wait for the broker's answer. */
final class MqttPeer implements AutoCloseable {

    private static final int PATIENCE_SECONDS = 60;
    private static final int CONNECT = 0;

    private final Channel channel;
    private final MqttVersion version;
    private final Map<Integer, CompletableFuture<MqttMessage>> answers = new ConcurrentHashMap<>();
    private final List<String> received = new ArrayList<>();
    private final AtomicInteger ids = new AtomicInteger();
    private final boolean sessionPresent;

    /** Connects, with TLS if there is a context for it. */
    MqttPeer(EventLoopGroup group, int port, SslContext tls, MqttVersion version, String clientId, boolean kept)
            throws Exception {
        this.version = version;
        channel = new Bootstrap()
                .group(group)
                .channel(EpollSocketChannel.class)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        if (tls != null) {
                            ch.pipeline().addLast(tls.newHandler(ch.alloc()));
                        }
                        ch.pipeline().addLast(new MqttDecoder(), MqttEncoder.INSTANCE, new Handler());
                    }
                })
                .connect(InetAddress.getLoopbackAddress(), port)
                .sync()
                .channel();
        MqttProperties properties = new MqttProperties();
        if (kept) {
            properties.add(new MqttProperties.IntegerProperty(MqttProperties.SESSION_EXPIRY_INTERVAL, 3600));
        }
        MqttConnAckMessage answer = (MqttConnAckMessage) ask(
                CONNECT,
                MqttMessageBuilders.connect()
                        .clientId(clientId)
                        .protocolVersion(version)
                        .cleanSession(!kept)
                        .keepAlive(60)
                        .properties(version == MqttVersion.MQTT_5 ? properties : MqttProperties.NO_PROPERTIES)
                        .build());
        sessionPresent = answer.variableHeader().isSessionPresent();
    }

    private MqttMessage ask(int id, MqttMessage question) throws Exception {
        CompletableFuture<MqttMessage> answer = new CompletableFuture<>();
        answers.put(id, answer);
        channel.writeAndFlush(question);
        return answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    boolean isSessionPresent() {
        return sessionPresent;
    }

    MqttVersion version() {
        return version;
    }

    boolean isConnected() {
        return channel.isActive();
    }

    /** Returns what has come: topic, a blank, and the payload. */
    List<String> received() {
        synchronized (received) {
            return List.copyOf(received);
        }
    }

    int receivedCount() {
        synchronized (received) {
            return received.size();
        }
    }

    void subscribe(String filter) throws Exception {
        int id = ids.incrementAndGet();
        ask(
                id,
                MqttMessageBuilders.subscribe()
                        .messageId(id)
                        .addSubscription(MqttQoS.AT_LEAST_ONCE, filter)
                        .build());
    }

    void publish(String topic, String payload, boolean retain) throws Exception {
        int id = ids.incrementAndGet();
        ask(
                id,
                MqttMessageBuilders.publish()
                        .topicName(topic)
                        .messageId(id)
                        .qos(MqttQoS.AT_LEAST_ONCE)
                        .retained(retain)
                        .payload(Unpooled.copiedBuffer(payload, UTF_8))
                        .build());
    }

    /** Hangs up as a client does whose session is to be kept. */
    @Override
    public void close() {
        channel.close().syncUninterruptibly();
    }

    private final class Handler extends SimpleChannelInboundHandler<MqttMessage> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, MqttMessage packet) {
            if (packet instanceof MqttPublishMessage publish) {
                synchronized (received) {
                    received.add(publish.variableHeader().topicName() + " "
                            + publish.payload().toString(UTF_8));
                }
                ctx.writeAndFlush(MqttMessageBuilders.pubAck()
                        .packetId(publish.variableHeader().packetId())
                        .build());
            } else if (packet.fixedHeader().messageType() == MqttMessageType.CONNACK) {
                answers.remove(CONNECT).complete(packet);
            } else {
                MqttMessageIdVariableHeader header = (MqttMessageIdVariableHeader) packet.variableHeader();
                answers.remove(header.messageId()).complete(packet);
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            answers.values()
                    .forEach(answer -> answer.completeExceptionally(
                            new IllegalStateException("a client of " + version + " was disconnected")));
        }
    }
}
