package io.escrow.examples.mqtt;

import io.escrow.Entry;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.mqtt.MqttQoS;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Knows all sessions, and brings messages to them. Everything happens on one event loop, so nothing is locked.
 *
 * <p>A broker begins to work when it has the state of the process before, which comes last: connections that were handed over
 * earlier are not read until then. Messages that the process before gets meanwhile for them are in that state.
 */
final class Broker {

    private static final int MAX_STORED = 10_000;

    private final EventLoop loop;
    private final Function<Channel, CompletableFuture<Void>> checkpoint;
    private final Map<String, Session> sessions = new HashMap<>();
    private final Map<String, Message> retained = new HashMap<>();
    private final Map<String, Integer> retainedSlots = new HashMap<>();
    private final Map<String, Integer> sessionSlots = new HashMap<>();
    private final Queue<Runnable> whenReady = new ArrayDeque<>();
    private StateStore store;

    /**
     * Makes a broker without sessions.
     *
     * @param checkpoint stores the state of a connection for the case of a crash
     */
    Broker(EventLoop loop, Function<Channel, CompletableFuture<Void>> checkpoint) {
        this.loop = loop;
        this.checkpoint = checkpoint;
    }

    /** Runs a task on the event loop when the broker has its state. */
    void whenReady(Runnable task) {
        if (store == null) {
            whenReady.add(task);
        } else {
            task.run();
        }
    }

    boolean isReady() {
        return store != null;
    }

    /** Begins to work with what the process before has left. By any thread. */
    CompletableFuture<Void> begin(StateStore state) {
        return state.load(StateStore.RETAINED)
                .thenCombine(state.load(StateStore.SESSIONS), List::of)
                .thenCombine(
                        state.load(StateStore.QUEUED),
                        (others, queued) -> List.of(others.get(0), others.get(1), queued))
                .thenAcceptAsync(
                        all -> {
                            store = state;
                            all.get(0).forEach(this::loadRetained);
                            all.get(1).forEach(this::loadSession);
                            all.get(2).forEach(this::loadQueued);
                            whenReady.forEach(Runnable::run);
                            whenReady.clear();
                        },
                        loop);
    }

    private void loadRetained(Entry entry) {
        Message message = Message.readFrom(Unpooled.wrappedBuffer(entry.payload()));
        retained.put(message.topic, message);
        retainedSlots.put(message.topic, entry.index());
    }

    private void loadSession(Entry entry) {
        Session session = Session.readFrom(Unpooled.wrappedBuffer(entry.payload()));
        if (sessions.putIfAbsent(session.clientId, session) == null) {
            sessionSlots.put(session.clientId, entry.index());
        } else {
            store.remove(StateStore.SESSIONS, entry.index());
        }
    }

    private void loadQueued(Entry entry) {
        ByteBuf in = Unpooled.wrappedBuffer(entry.payload());
        Session session = sessions.get(Bytes.readText(in));
        if (session == null) {
            store.remove(StateStore.QUEUED, entry.index());
            return;
        }
        session.stored.put(entry.index(), Message.readFrom(in));
        if (session.connection != null) {
            sendStored(session);
        }
    }

    /** Stores the state of a connection for the case of a crash. */
    CompletableFuture<Void> checkpoint(Channel channel) {
        return checkpoint.apply(channel);
    }

    /** Takes a session in that was handed over with its connection. */
    void resume(Session session) {
        sessions.put(session.clientId, session);
    }

    /** Takes a client in that has connected; returns whether it continues an older session. */
    boolean connect(Session session, boolean clean) {
        Session older = sessions.put(session.clientId, session);
        if (older == null) {
            return false;
        }
        if (older.connection != null) {
            older.connection.replaced();
        }
        Integer slot = sessionSlots.remove(session.clientId);
        if (slot != null) {
            store.remove(StateStore.SESSIONS, slot);
        }
        if (clean) {
            older.stored.keySet().forEach(each -> store.remove(StateStore.QUEUED, each));
            return false;
        }
        session.takeOver(older);
        return true;
    }

    /** Gives a client that is there what has come while it was away. */
    void sendStored(Session session) {
        session.stored.forEach((slot, message) -> {
            session.connection.send(message);
            store.remove(StateStore.QUEUED, slot);
        });
        session.stored.clear();
    }

    /** Notes that the connection of a client has ended. */
    void disconnect(Session session) {
        session.connection = null;
        if (!session.kept) {
            sessions.remove(session.clientId, session);
        } else if (sessions.get(session.clientId) == session) {
            sessionSlots.put(session.clientId, store.add(StateStore.SESSIONS, Bytes.of(session::writeTo)));
        }
    }

    /**
     * Brings a message to all who want it, and keeps it if it is to be retained.
     *
     * @return a future that is done when what has to be stored of it is stored
     */
    CompletableFuture<Void> publish(Message message) {
        if (message.retain) {
            retain(message);
        }
        for (Session session : sessions.values()) {
            MqttQoS wanted = session.wants(message.topic);
            if (wanted != null) {
                deliver(session, message.with(lower(wanted, message.qos), false));
            }
        }
        return store.stored();
    }

    private void retain(Message message) {
        Integer slot = retainedSlots.remove(message.topic);
        if (slot != null) {
            store.remove(StateStore.RETAINED, slot);
        }
        retained.remove(message.topic);
        if (!message.isEmpty()) {
            retained.put(message.topic, message);
            retainedSlots.put(message.topic, store.add(StateStore.RETAINED, Bytes.of(message::writeTo)));
        }
    }

    private void deliver(Session session, Message message) {
        if (session.connection != null) {
            session.connection.send(message);
        } else if (message.qos != MqttQoS.AT_MOST_ONCE) {
            keep(session, message);
        }
    }

    /** Stores a message for a client that is away, or is with the next process by now. */
    void keep(Session session, Message message) {
        if (session.stored.size() < MAX_STORED) {
            int slot = store.add(StateStore.QUEUED, Bytes.of(out -> {
                Bytes.writeText(out, session.clientId);
                message.writeTo(out);
            }));
            session.stored.put(slot, message);
        }
    }

    /** Subscribes a client to a filter, and sends it the messages that are retained. */
    void subscribe(Session session, String filter, MqttQoS qos) {
        session.subscriptions.put(filter, qos);
        for (Message message : retained.values()) {
            if (Topics.matches(filter, message.topic)) {
                deliver(session, message.with(lower(qos, message.qos), true));
            }
        }
    }

    private static MqttQoS lower(MqttQoS one, MqttQoS other) {
        return one.value() < other.value() ? one : other;
    }
}
