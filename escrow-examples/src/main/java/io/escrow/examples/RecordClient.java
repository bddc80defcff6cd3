package io.escrow.examples;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/**
 * Sends records on one connection to an echo server, a few ahead of the answers, and verifies what comes back.
 *
 * <p>When nothing comes back for a while it sends one record more: as soon as that is answered, it is known which of
 * those before it are lost. Methods without a comment on threads belong to the event loop.
 */
final class RecordClient extends ByteToMessageDecoder {

    private static final int AHEAD = 4;
    private static final long PATIENCE_MILLIS = 250;

    private final RecordStream stream;
    private final LongAdder verified;
    private final LongAdder lost;
    private final CompletableFuture<RecordStream> end = new CompletableFuture<>();
    private ChannelHandlerContext ctx;
    private Future<?> watch;
    private long verifiedAtLastLook;
    private boolean finishing;

    private long lastAnswer = System.nanoTime();
    private long longestSilence;
    private long awaitedTransmission = Long.MAX_VALUE;
    private CompletableFuture<Long> awaited;

    /** Makes a client that adds to two counters: records verified, and transmissions lost. */
    RecordClient(int connection, LongAdder verified, LongAdder lost) {
        this.stream = new RecordStream(connection);
        this.verified = verified;
        this.lost = lost;
    }

    /**
     * Returns how the connection ends. May be called by any thread.
     *
     * @return a future that fails when the connection is lost or a byte is wrong, and completes after {@link #finish()}
     */
    CompletableFuture<RecordStream> end() {
        return end;
    }

    /** Sends no new records, and ends when all are answered. May be called by any thread. */
    void finish() {
        ctx.executor().execute(() -> {
            finishing = true;
            endIfDone();
        });
    }

    /**
     * Waits until the server is heard again. May be called by any thread.
     *
     * @return a future of the longest time without an answer, in nanoseconds, which completes when something is answered
     *     that was sent after this call
     */
    CompletableFuture<Long> heardAgain() {
        CompletableFuture<Long> heard = new CompletableFuture<>();
        ctx.executor().execute(() -> {
            longestSilence = 0;
            awaitedTransmission = stream.nextTransmission();
            awaited = heard;
        });
        return heard;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        ctx = context;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        watch = ctx.executor().scheduleAtFixedRate(this::look, PATIENCE_MILLIS, PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        sendAhead();
    }

    private void sendAhead() {
        while (stream.unanswered() < AHEAD && (!finishing || stream.hasToRepeat())) {
            send();
        }
        ctx.flush();
    }

    private void send() {
        ByteBuf record = ctx.alloc().directBuffer(NumberedRecord.LENGTH);
        stream.writeNext(record);
        ctx.write(record, ctx.voidPromise());
    }

    private void look() {
        if (stream.verified() == verifiedAtLastLook
                && stream.unanswered() > 0
                && ctx.channel().isWritable()) {
            send();
            ctx.flush();
        }
        verifiedAtLastLook = stream.verified();
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        long verifiedBefore = stream.verified();
        long lostBefore = stream.lost();
        stream.read(in);
        if (stream.verified() == verifiedBefore) {
            return;
        }
        verified.add(stream.verified() - verifiedBefore);
        lost.add(stream.lost() - lostBefore);
        noteAnswer();
        sendAhead();
        endIfDone();
    }

    private void noteAnswer() {
        long now = System.nanoTime();
        longestSilence = Math.max(longestSilence, now - lastAnswer);
        lastAnswer = now;
        if (stream.firstUnanswered() > awaitedTransmission) {
            awaitedTransmission = Long.MAX_VALUE;
            awaited.complete(longestSilence);
        }
    }

    private void endIfDone() {
        if (finishing && stream.unanswered() == 0 && !stream.hasToRepeat()) {
            end.complete(stream);
            ctx.close();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        if (watch != null) {
            watch.cancel(false);
        }
        super.channelInactive(context);
        end.completeExceptionally(new IOException(
                "connection lost: the server closed it after " + stream.verified() + " records were verified"));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        end.completeExceptionally(
                cause instanceof WrongBytesException
                        ? cause
                        : new IOException("connection lost: " + cause.getMessage(), cause));
        ctx.close();
    }
}
