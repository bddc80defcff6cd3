package io.escrow.protocols;

import static org.awaitility.Awaitility.await;

import io.escrow.handover.HandoverHarness;
import io.escrow.handover.Peer;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.protocol.Protocol;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Runs servers of the {@link CountingProtocol}. */
abstract class ProtocolHarness extends HandoverHarness {

    /** Describes a server with pipelines for the protocol, and without the protocol. */
    ServerHandoverBuilder pipelines(Supplier<CountingDecoder> decoder) {
        return server(bootstrap(ch -> ch.pipeline().addLast(decoder.get(), new CountingHandler())));
    }

    ServerHandoverBuilder counting(Protocol protocol) {
        return pipelines(CountingDecoder::new).protocol(protocol).vouchFor(CountingDecoder.class);
    }

    ServerHandoverBuilder counting(Protocol protocol, boolean inWaves) {
        ServerHandoverBuilder builder = counting(protocol);
        return inWaves ? builder.waves(Duration.ofMillis(20)) : builder;
    }

    /** Starts the next server, hands the one before over, and returns the one that has taken over. */
    ServerHandover next(ServerHandover before, ServerHandoverBuilder builder) throws Exception {
        CompletableFuture<ServerHandover> starting = builder.start();
        handOver(before);
        return add(starting.get(TIME.toSeconds(), TimeUnit.SECONDS));
    }

    static byte[] message(byte[] body) {
        return ByteBuffer.allocate(Short.BYTES + body.length)
                .putShort((short) body.length)
                .put(body)
                .array();
    }

    static byte[] answer(int count, byte[] body) {
        return message(ByteBuffer.allocate(Integer.BYTES + body.length)
                .putInt(count)
                .put(body)
                .array());
    }

    static void assertAnswered(Peer peer, int count, byte[] body) throws Exception {
        peer.sendRaw(message(body));
        peer.assertReceivesRaw(answer(count, body));
    }

    /** Waits for the connection that a protocol recognises as its {@code number}th, from 0. */
    static CountingProtocol.Framing connection(CountingProtocol protocol, int number) {
        await().until(() -> protocol.connections().size() > number);
        return protocol.connections().get(number);
    }

    static <T> T onLoop(CountingProtocol.Framing connection, Callable<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        connection.context().pipeline().channel().eventLoop().execute(() -> {
            try {
                result.complete(task.call());
            } catch (Exception e) {
                result.completeExceptionally(e);
            }
        });
        return result.join();
    }
}
