package io.escrow.client;

import io.escrow.BulkResult;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.codec.Frame;
import io.escrow.internal.Futures;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Makes many requests with one future. Takes each request from its source when a packet has room for it, so that
 * requests that wait cost no memory.
 */
final class BulkRequest<S> implements RequestSource {

    private final CompletableFuture<BulkResult> future = new CompletableFuture<>();
    private final Map<SlotKey, EscrowException> failures = new LinkedHashMap<>();
    private final Iterator<? extends S> source;
    private final Function<S, SlotKey> keyOf;
    private final Function<S, Frame> frameOf;
    private final Consumer<Frame> sink;
    private int unanswered;
    private int succeeded;
    private boolean exhausted;

    BulkRequest(
            Iterator<? extends S> source,
            Function<S, SlotKey> keyOf,
            Function<S, Frame> frameOf,
            Consumer<Frame> sink) {
        this.source = source;
        this.keyOf = keyOf;
        this.frameOf = frameOf;
        this.sink = sink;
    }

    CompletableFuture<BulkResult> future() {
        return future;
    }

    @Override
    public Request next() {
        try {
            if (!future.isDone() && source.hasNext()) {
                S item = source.next();
                Request request = new Item(keyOf.apply(item), frameOf.apply(item));
                unanswered++;
                return request;
            }
        } catch (Throwable e) {
            future.completeExceptionally(Futures.toEscrowException(e));
        }
        exhausted = true;
        finishIfDone();
        return null;
    }

    @Override
    public void fail(EscrowException cause) {
        exhausted = true;
        future.completeExceptionally(cause);
    }

    private void finishIfDone() {
        if (exhausted && unanswered == 0) {
            future.complete(new BulkResult(succeeded, failures));
        }
    }

    private final class Item extends Request {
        private final SlotKey key;

        Item(SlotKey key, Frame frame) {
            super(frame);
            this.key = key;
        }

        @Override
        boolean isAbandoned() {
            return future.isDone();
        }

        @Override
        void succeed(Frame answer) {
            unanswered--;
            if (future.isDone()) {
                discard(answer);
                return;
            }
            try {
                sink.accept(answer);
                succeeded++;
            } catch (Throwable e) {
                future.completeExceptionally(Futures.toEscrowException(e));
            }
            finishIfDone();
        }

        @Override
        void fail(EscrowException cause) {
            unanswered--;
            failures.put(key, cause);
            finishIfDone();
        }

        @Override
        void lost(EscrowConnectionException doubtful, boolean goesOn) {
            if (goesOn) {
                fail(doubtful);
            } else {
                BulkRequest.this.fail(doubtful);
            }
        }
    }
}
