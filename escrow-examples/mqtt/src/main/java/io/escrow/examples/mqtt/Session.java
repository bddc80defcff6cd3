package io.escrow.examples.mqtt;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.mqtt.MqttQoS;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;

/** What the broker knows about a client. Lives on the broker's one event loop. */
final class Session {

    private static final int MAX_IDS = 65_535;

    final String clientId;
    /** Whether the session outlives its connection. */
    final boolean kept;

    final int keepAliveSeconds;
    final Map<String, MqttQoS> subscriptions = new LinkedHashMap<>();
    /** Sent with QoS 1, by the packet identifiers that the client has not acknowledged yet. */
    final Map<Integer, Message> unacknowledged = new LinkedHashMap<>();
    /** To be sent with QoS 1 when there is room among those. */
    final Queue<Message> waiting = new ArrayDeque<>();
    /** Stored while the client was away, by their slots. */
    final Map<Integer, Message> stored = new LinkedHashMap<>();
    /** The connection; {@code null} while the client is away, or has moved to the next process. */
    BrokerHandler connection;

    private int lastId;

    Session(String clientId, boolean kept, int keepAliveSeconds) {
        this.clientId = clientId;
        this.kept = kept;
        this.keepAliveSeconds = keepAliveSeconds;
    }

    /** Continues an older session of the client. */
    void takeOver(Session older) {
        subscriptions.putAll(older.subscriptions);
        unacknowledged.putAll(older.unacknowledged);
        waiting.addAll(older.waiting);
        stored.putAll(older.stored);
        lastId = older.lastId;
    }

    int nextId() {
        do {
            lastId = lastId % MAX_IDS + 1;
        } while (unacknowledged.containsKey(lastId));
        return lastId;
    }

    /** Returns the quality of service with which the client wants messages of a topic; {@code null} if it does not. */
    MqttQoS wants(String topic) {
        MqttQoS best = null;
        for (Map.Entry<String, MqttQoS> e : subscriptions.entrySet()) {
            if ((best == null || e.getValue().value() > best.value()) && Topics.matches(e.getKey(), topic)) {
                best = e.getValue();
            }
        }
        return best;
    }

    void writeTo(ByteBuf out) {
        Bytes.writeText(out, clientId);
        out.writeBoolean(kept).writeShort(keepAliveSeconds).writeShort(lastId).writeInt(subscriptions.size());
        subscriptions.forEach((filter, qos) -> {
            Bytes.writeText(out, filter);
            out.writeByte(qos.value());
        });
        out.writeInt(unacknowledged.size());
        unacknowledged.forEach((id, message) -> {
            out.writeShort(id);
            message.writeTo(out);
        });
        out.writeInt(waiting.size());
        waiting.forEach(message -> message.writeTo(out));
    }

    static Session readFrom(ByteBuf in) {
        Session session = new Session(Bytes.readText(in), in.readBoolean(), in.readUnsignedShort());
        session.lastId = in.readUnsignedShort();
        for (int i = in.readInt(); i > 0; i--) {
            session.subscriptions.put(Bytes.readText(in), MqttQoS.valueOf(in.readByte()));
        }
        for (int i = in.readInt(); i > 0; i--) {
            session.unacknowledged.put(in.readUnsignedShort(), Message.readFrom(in));
        }
        for (int i = in.readInt(); i > 0; i--) {
            session.waiting.add(Message.readFrom(in));
        }
        return session;
    }
}
