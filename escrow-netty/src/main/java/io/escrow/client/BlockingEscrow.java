package io.escrow.client;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.internal.Checks;
import io.escrow.internal.Futures;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.EventExecutorGroup;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Makes the requests of an {@link EscrowClient}, and waits for each answer.
 *
 * <p>Every method throws an {@link EscrowException} when the request fails. The status is {@link Status#ETIMEDOUT} when
 * the timeout of this view passes first or the thread is interrupted; the request may still be carried out then, and
 * the interrupt of the thread stays set. A method that is called on an event loop of the client's group would block
 * that loop, and throws an {@link IllegalStateException} instead.
 */
public final class BlockingEscrow implements AutoCloseable {

    private final EscrowClient client;
    private final Duration timeout;

    BlockingEscrow(EscrowClient client, Duration timeout) {
        this.client = client;
        this.timeout = Checks.positive("timeout", timeout);
    }

    /**
     * Puts a descriptor and a payload into a slot. Replaces what the slot held before.
     *
     * @param tag the tag
     * @param index the index
     * @param descriptor the descriptor to store a duplicate of; still belongs to the caller
     * @param payload the payload, possibly empty
     * @throws EscrowException if the slot was not filled, or not in time
     */
    public void add(int tag, int index, FileDescriptor descriptor, byte[] payload) throws EscrowException {
        await(() -> client.add(tag, index, descriptor, payload));
    }

    /**
     * Puts a payload without a descriptor into a slot. Replaces what the slot held before.
     *
     * @param tag the tag
     * @param index the index
     * @param payload the payload, possibly empty
     * @throws EscrowException if the slot was not filled, or not in time
     */
    public void add(int tag, int index, byte[] payload) throws EscrowException {
        await(() -> client.add(tag, index, payload));
    }

    /**
     * Puts a descriptor, a payload and a farewell into a slot. Replaces what the slot held before.
     *
     * @param deposit the slot and its content
     * @throws EscrowException if the slot was not filled, or not in time
     */
    public void add(Deposit deposit) throws EscrowException {
        await(() -> client.add(deposit));
    }

    /**
     * Replaces the payload of a filled slot. Its descriptor and its farewell stay as they are.
     *
     * @param tag the tag
     * @param index the index
     * @param payload the new payload, possibly empty
     * @throws EscrowException if the slot is empty, or the payload was not replaced, or not in time
     */
    public void update(int tag, int index, byte[] payload) throws EscrowException {
        await(() -> client.update(tag, index, payload));
    }

    /**
     * Replaces the payload and the farewell of a filled slot. Its descriptor stays as it is.
     *
     * @param tag the tag
     * @param index the index
     * @param payload the new payload, possibly empty
     * @param farewell the new farewell, possibly empty
     * @throws EscrowException if the slot is empty, or nothing was replaced, or not in time
     */
    public void update(int tag, int index, byte[] payload, byte[] farewell) throws EscrowException {
        await(() -> client.update(tag, index, payload, farewell));
    }

    /**
     * Fetches the payload of a slot and a duplicate of its descriptor. The slot stays as it is.
     *
     * @param tag the tag
     * @param index the index
     * @return the entry, which the caller closes
     * @throws EscrowException if the slot is empty, or the answer did not come in time
     */
    public Entry get(int tag, int index) throws EscrowException {
        return await(() -> client.get(tag, index));
    }

    /**
     * Empties a slot, and closes the duplicate of the descriptor in it.
     *
     * @param tag the tag
     * @param index the index
     * @throws EscrowException if the slot is empty, or the answer did not come in time
     */
    public void delete(int tag, int index) throws EscrowException {
        await(() -> client.delete(tag, index));
    }

    /**
     * Sums up a tag.
     *
     * @param tag the tag
     * @return the number of used slots, the highest index and the payload bytes
     * @throws EscrowException if the request failed, or the answer did not come in time
     */
    public TagInfo tag(int tag) throws EscrowException {
        return await(() -> client.tag(tag));
    }

    /**
     * Lists the used slots of a tag. The daemon looks which peers have gone.
     *
     * @param tag the tag
     * @return the slots, by ascending index
     * @throws EscrowException if the request failed, or the answer did not come in time
     */
    public List<SlotInfo> list(int tag) throws EscrowException {
        return await(() -> client.list(tag));
    }

    /**
     * Stores many slots.
     *
     * @param deposits the slots to store; the next one is taken on the event loop
     * @return the result, which contains the slots that were refused
     * @throws EscrowException if the connection ended, or the answers did not come in time
     */
    public BulkResult addAll(Iterator<Deposit> deposits) throws EscrowException {
        return await(() -> client.addAll(deposits));
    }

    /**
     * Fetches all used slots of a tag. The slots stay as they are.
     *
     * @param tag the tag
     * @param sink receives each entry and owns it; called on the event loop, by ascending index
     * @return the result, which contains the slots that were refused
     * @throws EscrowException if the connection ended, or the answers did not come in time
     */
    public BulkResult getAll(int tag, Consumer<Entry> sink) throws EscrowException {
        return await(() -> client.getAll(tag, sink));
    }

    /**
     * Empties many slots.
     *
     * @param slots the slots to empty; the next one is taken on the event loop
     * @return the result, which contains the slots that were refused
     * @throws EscrowException if the connection ended, or the answers did not come in time
     */
    public BulkResult deleteAll(Iterator<SlotKey> slots) throws EscrowException {
        return await(() -> client.deleteAll(slots));
    }

    /** Ends the session, and returns when it has ended. */
    @Override
    public void close() {
        checkThread(client.eventLoop().parent());
        client.close();
        client.closed().toCompletableFuture().join();
    }

    private <T> T await(Supplier<CompletableFuture<T>> request) throws EscrowException {
        checkThread(client.eventLoop().parent());
        return await(request.get(), timeout);
    }

    /** Throws if this is a thread of the group: waiting would block the event loop that is waited for. */
    static void checkThread(EventExecutorGroup group) {
        for (EventExecutor loop : group) {
            if (loop.inEventLoop()) {
                throw new IllegalStateException("a blocking call on an event loop: use the asynchronous client there");
            }
        }
    }

    /** Waits for a future, and cancels it when the time has passed; a result that comes in that moment is not lost. */
    static <T> T await(CompletableFuture<T> future, Duration timeout) throws EscrowException {
        try {
            return future.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            if (hasCome(future)) {
                return future.join();
            }
            throw new EscrowException(Status.ETIMEDOUT, "no answer within " + timeout.toMillis() + " ms", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            if (hasCome(future)) {
                return future.join();
            }
            throw new EscrowException(Status.ETIMEDOUT, "interrupted while waiting for the answer", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof EscrowException cause) {
                // With the stack of the caller, which the exception from the event loop lacks.
                cause.addSuppressed(e);
                throw cause;
            }
            throw Futures.toEscrowException(e);
        }
    }

    private static boolean hasCome(CompletableFuture<?> future) {
        return !future.cancel(false) && !future.isCompletedExceptionally();
    }
}
