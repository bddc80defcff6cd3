package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SlotKey;
import io.escrow.codec.PacketFeeder;
import io.escrow.codec.ProtocolException;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Answers requests of all kinds with whatever comes: each future is done in the end, and no descriptor is left open.
 */
class AnswerFuzzTest {

    private static final Limits LIMITS = new Limits(32, 64, 256, 4, 3, 2, 8);

    @FuzzTest
    void answers(byte[] input) throws IOException {
        EmbeddedChannel channel = PacketFeeder.channel(false, LIMITS);
        EscrowClient client =
                EmbeddedClient.on(channel, LIMITS, mayCome -> PacketFeeder.descriptorsMayCome(channel, mayCome));
        PacketFeeder feeder = new PacketFeeder(channel);
        CompletableFuture<Entry> abandoned = client.get(1, 3);
        List<CompletableFuture<?>> asked = List.of(
                client.get(1, 1).thenAccept(Entry::close),
                client.tag(1),
                client.list(1),
                client.add(1, 2, new byte[3]),
                client.get(1, 2).thenAccept(Entry::close),
                client.getAll(1, Entry::close),
                client.addAll(List.of(new Deposit(1, 1, null, new byte[1])).iterator()),
                client.update(1, 1, new byte[2]),
                client.deleteAll(List.of(new SlotKey(1, 1), new SlotKey(1, 2)).iterator()));
        channel.runPendingTasks();
        // Its answer comes, and finds nobody.
        abandoned.cancel(false);

        feeder.feed(input, Integer.MAX_VALUE);
        channel.runPendingTasks();
        feeder.finish();

        for (CompletableFuture<?> future : asked) {
            assertTrue(future.isDone());
            if (future.isCompletedExceptionally()) {
                failureOf(future);
            }
        }
        CompletableFuture<Void> late = client.delete(1, 1);
        channel.runPendingTasks();
        Throwable why = failureOf(late).getCause();
        assertTrue(
                why == null || why instanceof ProtocolException || why instanceof EscrowException,
                () -> "not the daemon's fault: " + why);
    }

    private static EscrowException failureOf(CompletableFuture<?> future) {
        assertTrue(future.isDone());
        CompletionException failure = assertThrows(CompletionException.class, future::join);
        return assertInstanceOf(EscrowException.class, failure.getCause(), () -> "not an answer: " + failure);
    }
}
