package io.escrow.examples.mqtt;

import io.escrow.handover.protocol.ConnectionMovedException;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.protocol.PendingWork;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.mqtt.MqttConnAckMessage;
import io.netty.handler.codec.mqtt.MqttConnectMessage;
import io.netty.handler.codec.mqtt.MqttConnectReturnCode;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttMessageBuilders;
import io.netty.handler.codec.mqtt.MqttMessageIdVariableHeader;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttPublishMessage;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.codec.mqtt.MqttReasonCodes;
import io.netty.handler.codec.mqtt.MqttSubscribeMessage;
import io.netty.handler.codec.mqtt.MqttTopicSubscription;
import io.netty.handler.codec.mqtt.MqttUnsubscribeMessage;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;

/** Speaks MQTT with one client. Its session is the state that moves to the next process. */
final class BrokerHandler extends SimpleChannelInboundHandler<MqttMessage> implements Movable {

    private static final int MAX_UNACKNOWLEDGED = 1_000;
    private static final int MAX_WAITING = 100_000;

    private final Broker broker;
    private ChannelHandlerContext ctx;
    /** {@code null} before CONNECT. */
    private Session session;

    /** Whether the client knows that it is connected: before CONNACK, nothing is sent. */
    private boolean connected;

    private boolean moved;

    /** Is done when everything is answered: answers keep their order. */
    private CompletableFuture<Void> answered = CompletableFuture.completedFuture(null);

    BrokerHandler(Broker broker) {
        this.broker = broker;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        this.ctx = ctx;
        if (!broker.isReady()) {
            ctx.channel().config().setAutoRead(false);
            broker.whenReady(() -> ctx.channel().config().setAutoRead(true));
        }
    }

    @Override
    public String section() {
        return "mqtt-session";
    }

    @Override
    public boolean mustBeRestored() {
        return true;
    }

    @Override
    public void save(ChannelHandlerContext ctx, ByteBuf out) {
        if (session != null) {
            session.writeTo(out);
        }
    }

    @Override
    public void restore(ChannelHandlerContext ctx, ByteBuf in) {
        if (in.isReadable()) {
            begin(Session.readFrom(in));
            connected = true;
            broker.resume(session);
        }
    }

    private void begin(Session begun) {
        session = begun;
        session.connection = this;
        if (session.keepAliveSeconds > 0) {
            int idle = session.keepAliveSeconds + session.keepAliveSeconds / 2 + 1;
            ctx.pipeline().addBefore(ctx.name(), null, new IdleStateHandler(idle, 0, 0));
        }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, MqttMessage packet) {
        if (packet.decoderResult().isFailure() || (session == null) != (packet instanceof MqttConnectMessage)) {
            ctx.close();
            return;
        }
        switch (packet.fixedHeader().messageType()) {
            case CONNECT -> connect((MqttConnectMessage) packet);
            case PUBLISH -> publish((MqttPublishMessage) packet);
            case PUBACK -> acknowledged(((MqttMessageIdVariableHeader) packet.variableHeader()).messageId());
            case SUBSCRIBE -> subscribe((MqttSubscribeMessage) packet);
            case UNSUBSCRIBE -> unsubscribe((MqttUnsubscribeMessage) packet);
            case PINGREQ -> ctx.writeAndFlush(MqttMessage.PINGRESP);
            default -> ctx.close();
        }
    }

    private void connect(MqttConnectMessage packet) {
        String clientId = packet.payload().clientIdentifier();
        boolean made = clientId.isEmpty();
        boolean clean = packet.variableHeader().isCleanSession();
        boolean mqtt5 = packet.variableHeader().version() == 5;
        MqttProperties.IntegerProperty expiry = (MqttProperties.IntegerProperty)
                packet.variableHeader().properties().getProperty(MqttProperties.SESSION_EXPIRY_INTERVAL);
        boolean kept = mqtt5 ? expiry != null && expiry.value() != 0 : !clean;
        Session fresh = new Session(
                made ? UUID.randomUUID().toString() : clientId,
                kept,
                packet.variableHeader().keepAliveTimeSeconds());
        boolean present = broker.connect(fresh, clean || made);
        begin(fresh);
        MqttProperties properties = new MqttProperties();
        if (mqtt5) {
            properties.add(new MqttProperties.IntegerProperty(MqttProperties.MAXIMUM_QOS, 1));
            properties.add(
                    new MqttProperties.IntegerProperty(MqttProperties.MAXIMUM_PACKET_SIZE, MqttBroker.MAX_PACKET));
            if (made) {
                properties.add(
                        new MqttProperties.StringProperty(MqttProperties.ASSIGNED_CLIENT_IDENTIFIER, fresh.clientId));
            }
        }
        MqttConnAckMessage answer = MqttMessageBuilders.connAck()
                .returnCode(MqttConnectReturnCode.CONNECTION_ACCEPTED)
                .sessionPresent(present)
                .properties(properties)
                .build();
        broker.sendStored(fresh);
        answerWhen(broker.checkpoint(ctx.channel()), answer, () -> {
            connected = true;
            fresh.unacknowledged.forEach((id, message) -> write(id, message, true));
            sendWaiting();
        });
    }

    /** Answers when what the answer promises would survive a crash. */
    private void answerWhen(CompletableFuture<Void> stored, MqttMessage answer, Runnable then) {
        PendingWork work = PendingWork.begin(ctx.channel());
        CompletableFuture<Void> tried = stored.exceptionally(failure -> null);
        answered = answered.thenCombineAsync(
                tried,
                (before, nothing) -> {
                    if (session != null) {
                        ctx.writeAndFlush(answer);
                        then.run();
                    }
                    work.close();
                    return null;
                },
                ctx.executor());
    }

    private void publish(MqttPublishMessage packet) {
        MqttQoS qos = packet.fixedHeader().qosLevel();
        if (qos == MqttQoS.EXACTLY_ONCE) {
            ctx.close();
            return;
        }
        CompletableFuture<Void> stored = broker.publish(new Message(
                packet.variableHeader().topicName(),
                ByteBufUtil.getBytes(packet.payload()),
                qos,
                packet.fixedHeader().isRetain()));
        if (qos == MqttQoS.AT_LEAST_ONCE) {
            MqttMessage answer = MqttMessageBuilders.pubAck()
                    .packetId(packet.variableHeader().packetId())
                    .build();
            if (stored.isDone() && answered.isDone()) {
                ctx.writeAndFlush(answer);
            } else {
                answerWhen(stored, answer, () -> {});
            }
        }
    }

    private void acknowledged(int id) {
        session.unacknowledged.remove(id);
        sendWaiting();
    }

    private void sendWaiting() {
        while (!session.waiting.isEmpty() && session.unacknowledged.size() < MAX_UNACKNOWLEDGED) {
            send(session.waiting.poll());
        }
    }

    private void subscribe(MqttSubscribeMessage packet) {
        List<MqttTopicSubscription> wanted = packet.payload().topicSubscriptions();
        MqttMessageBuilders.SubAckBuilder answer =
                MqttMessageBuilders.subAck().packetId(packet.variableHeader().messageId());
        for (MqttTopicSubscription each : wanted) {
            session.subscriptions.put(each.topicFilter(), granted(each));
            answer.addGrantedQos(granted(each));
        }
        answerWhen(
                broker.checkpoint(ctx.channel()),
                answer.build(),
                () -> wanted.forEach(each -> broker.subscribe(session, each.topicFilter(), granted(each))));
    }

    private static MqttQoS granted(MqttTopicSubscription wanted) {
        return wanted.qualityOfService() == MqttQoS.AT_MOST_ONCE ? MqttQoS.AT_MOST_ONCE : MqttQoS.AT_LEAST_ONCE;
    }

    private void unsubscribe(MqttUnsubscribeMessage packet) {
        MqttMessageBuilders.UnsubAckBuilder answer =
                MqttMessageBuilders.unsubAck().packetId(packet.variableHeader().messageId());
        for (String filter : packet.payload().topics()) {
            boolean was = session.subscriptions.remove(filter) != null;
            answer.addReasonCode(
                    (short) (was ? MqttReasonCodes.UnsubAck.SUCCESS : MqttReasonCodes.UnsubAck.NO_SUBSCRIPTION_EXISTED)
                            .byteValue());
        }
        answerWhen(broker.checkpoint(ctx.channel()), answer.build(), () -> {});
    }

    /** Sends a message to the client. */
    void send(Message message) {
        if (message.qos == MqttQoS.AT_MOST_ONCE) {
            if (connected && ctx.channel().isWritable()) {
                write(0, message, false);
            }
        } else if (connected && session.unacknowledged.size() < MAX_UNACKNOWLEDGED) {
            int id = session.nextId();
            session.unacknowledged.put(id, message);
            write(id, message, false).addListener(written -> {
                if (moved && !written.isSuccess() && !(written.cause() instanceof ConnectionMovedException)) {
                    // The session was saved before: the next process does not know of this message.
                    broker.keep(session, message);
                }
            });
        } else if (session.waiting.size() < MAX_WAITING) {
            session.waiting.add(message);
        }
    }

    private ChannelFuture write(int id, Message message, boolean again) {
        MqttPublishMessage packet = MqttMessageBuilders.publish()
                .topicName(message.topic)
                .payload(message.payload())
                .qos(message.qos)
                .retained(message.retain)
                .messageId(id)
                .build();
        return ctx.writeAndFlush(again ? Duplicates.of(packet) : packet);
    }

    /** Ends the connection: the client has come again on another one, which has the session now. */
    void replaced() {
        session.connection = null;
        session = null;
        ctx.close();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == HandoverEvent.HANDED_OVER && session != null) {
            // From now on, messages for the client are stored, and the next process finds them.
            moved = true;
            session.connection = null;
        } else if (event == HandoverEvent.DRAINING || event instanceof IdleStateEvent) {
            ctx.close();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (session != null && !moved) {
            Session ended = session;
            broker.whenReady(() -> broker.disconnect(ended));
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }
}
