package io.escrow.client;

import io.escrow.EscrowException;
import io.escrow.codec.Frame;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;

/** Makes one request with one future. If the future is done before the request was sent, the request is not sent. */
final class SingleRequest<T> extends Request implements RequestSource {

    private final CompletableFuture<T> future = new CompletableFuture<>();
    private final Function<Frame, T> convert;
    private final Consumer<T> discard;
    private final Runnable onSent;
    private boolean given;

    /**
     * Makes a request.
     *
     * @param convert makes the result from the answer
     * @param discard releases a result that no caller waits for any more
     * @param onSent called when the request is sent; {@code null} for nothing
     */
    SingleRequest(Frame frame, Function<Frame, T> convert, Consumer<T> discard, Runnable onSent) {
        super(frame);
        this.onSent = onSent;
        this.convert = convert;
        this.discard = discard;
    }

    CompletableFuture<T> future() {
        return future;
    }

    @Override
    public Request next() {
        if (given || future.isDone()) {
            return null;
        }
        given = true;
        return this;
    }

    @Override
    boolean isAbandoned() {
        return future.isDone();
    }

    @Override
    boolean asksWhenSent() {
        return onSent != null;
    }

    @Override
    void sent() {
        onSent.run();
    }

    @Override
    void succeed(Frame answer) {
        T result = convert.apply(answer);
        if (!future.complete(result)) {
            discard.accept(result);
        }
    }

    @Override
    public void fail(EscrowException cause) {
        future.completeExceptionally(cause);
    }
}
