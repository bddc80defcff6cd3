package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.escrow.Entry;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.link.HandoverEndpoint;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.EscrowTable;
import io.netty.channel.EventLoop;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Takes the session and talks as the next server would, up to some point. */
final class FakeSuccessor implements AutoCloseable {

    final CompletableFuture<EscrowClient> connecting;
    final Map<Integer, Entry> entries = new HashMap<>();
    private final EventLoop loop;
    EscrowClient client;
    int endpointIndex;
    private FileDescriptor meetingPoint;
    ProcessLink link;

    /** Queues behind those that came before. */
    FakeSuccessor(EscrowClientBuilder escrow, EventLoop loop) {
        this.loop = loop;
        CompletableFuture<Object> waits = new CompletableFuture<>();
        connecting = escrow.onWaiting(waits::complete).connect();
        waits.join();
    }

    /** Meets the server before, and returns what it says first. */
    ProcessLink.Message meeting() throws Exception {
        client = connecting.join();
        List<Entry> listeners = new ArrayList<>();
        client.getAll(0, listeners::add).join();
        EscrowTable table = new EscrowTable(0);
        table.begin(client).join();
        for (Entry entry : listeners) {
            if (table.read(entry).join().listener().equals(ChannelRecord.RENDEZVOUS)) {
                meetingPoint = entry.takeDescriptor();
                endpointIndex = entry.index();
            }
            entry.close();
        }
        link = HandoverEndpoint.meet(loop, meetingPoint.intValue());
        return link.receive();
    }

    ProcessLink.Kind meet() throws Exception {
        return meeting().kind();
    }

    /** Gets all descriptors, and says that it is ready, with the version of the talk or without. */
    void ready(byte[] version) {
        client.getAll(1, entry -> entries.put(entry.index(), entry)).join();
        link.send(ProcessLink.Kind.READY, 0, version);
    }

    /** Waits for a whole wave. */
    void awaitWave() {
        ready(new byte[0]);
        ProcessLink.Kind kind = link.receive().kind();
        while (kind != ProcessLink.Kind.WAVE) {
            // Nothing comes after it.
            assertNotEquals(ProcessLink.Kind.END, kind);
            kind = link.receive().kind();
        }
    }

    @Override
    public void close() {
        try {
            if (link != null) {
                link.close();
                meetingPoint.close();
            }
            entries.values().forEach(Entry::close);
            connecting.thenAccept(EscrowClient::close);
            if (client != null) {
                client.closed().toCompletableFuture().join();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
