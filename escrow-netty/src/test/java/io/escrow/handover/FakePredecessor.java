package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.link.HandoverEndpoint;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.EscrowTable;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Hands over in waves, as a server would, what another server has stored. */
final class FakePredecessor implements AutoCloseable {

    /** The connections in the escrow, by index. */
    final Map<Integer, ChannelRecord> records = new LinkedHashMap<>();

    private final EscrowClientBuilder escrow;
    private final EscrowTable table = new EscrowTable(0);
    private final CompletableFuture<ProcessLink> arrived = new CompletableFuture<>();
    private final HandoverEndpoint endpoint;
    private CompletableFuture<EscrowClient> connecting;
    ProcessLink link;

    /** Takes the session, and stores its endpoint. */
    FakePredecessor(EscrowClientBuilder escrow, EventLoop loop) {
        this.escrow = escrow;
        connecting = escrow.copy().connect();
        beginSession();
        List<Entry> entries = new ArrayList<>();
        table.client().getAll(1, entries::add).join();
        for (Entry entry : entries) {
            records.put(entry.index(), table.read(entry).join());
            entry.close();
        }
        endpoint = HandoverEndpoint.open(loop, table.newListenerSlot(), arrived::complete)
                .join();
    }

    private void beginSession() {
        table.begin(connecting.join()).join();
    }

    /** Gives the session to the server that waits for it, queues again, and greets the server. */
    void meet(byte[] version) {
        CompletableFuture<Object> waits = new CompletableFuture<>();
        EscrowClient ended = connecting.join();
        ended.close();
        ended.closed().toCompletableFuture().join();
        link = arrived.join();
        connecting = escrow.copy().onWaiting(waits::complete).connect();
        waits.join();
        link.send(ProcessLink.Kind.WELCOME, 0, version);
    }

    /** Sends all in one wave, and is gone before it can hear an answer. */
    void dieWithAWave() {
        connecting.cancel(false);
        endpoint.close();
        link.loop()
                .submit(() -> {
                    records.forEach((index, record) -> link.write(ProcessLink.Kind.MOVED, index, record.encode()));
                    link.send(ProcessLink.Kind.WAVE).addListener(f -> link.close());
                })
                .syncUninterruptibly();
    }

    /** Waits for its session, and ends it without the endpoint. */
    void storeAll() {
        beginSession();
        endpoint.remove();
        // Answers come in order: the slot is free.
        table.client().tag(0).join();
    }

    @Override
    public void close() {
        if (link != null) {
            link.close();
        }
        endpoint.close();
        connecting.cancel(false);
        connecting.thenAccept(EscrowClient::close);
    }
}
