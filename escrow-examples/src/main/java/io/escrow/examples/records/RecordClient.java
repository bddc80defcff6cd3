package io.escrow.examples.records;

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
 * Sends records to an echo server on one connection, and verifies the answers. A few records are always under way.
 *
 * <p>If no answer comes for a while, the client sends one more record. The answer to that record shows which of the
 * records before it are lost. Unless a method says otherwise, only the event loop calls it.
 */
final class RecordClient extends ByteToMessageDecoder {

    private static final int UNDER_WAY = 4;
    private static final long CHECK_MILLIS = 250;

    private final RecordStream stream;
    private final LongAdder verified;
    private final LongAdder lost;
    private final CompletableFuture<RecordStream> end = new CompletableFuture<>();
    private ChannelHandlerContext ctx;
    private Future<?> check;
    private long verifiedAtLastCheck;
    private boolean finishing;

    private long lastAnswer = System.nanoTime();
    private long longestSilence;
    private long awaitedTransmission = Long.MAX_VALUE;
    private CompletableFuture<Long> awaited;

    /** Makes a client that counts verified records and lost transmissions in two counters. */
    RecordClient(int connection, LongAdder verified, LongAdder lost) {
        this.stream = new RecordStream(connection);
        this.verified = verified;
        this.lost = lost;
    }

    /**
     * Returns the result of this client. Any thread may call this method.
     *
     * @return a future that fails if the connection is lost or a byte is wrong; otherwise it completes after {@link
     *     #finish()}
     */
    CompletableFuture<RecordStream> end() {
        return end;
    }

    /** Sends no new records, and closes the connection when all are answered. Any thread may call this method. */
    void finish() {
        ctx.executor().execute(() -> {
            finishing = true;
            endIfDone();
        });
    }

    /**
     * Waits until a record is answered that is sent after this call. Any thread may call this method.
     *
     * @return a future of the longest time without an answer until then, in nanoseconds
     */
    CompletableFuture<Long> nextAnswer() {
        CompletableFuture<Long> answer = new CompletableFuture<>();
        ctx.executor().execute(() -> {
            longestSilence = 0;
            awaitedTransmission = stream.nextTransmission();
            awaited = answer;
        });
        return answer;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        ctx = context;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        check = ctx.executor().scheduleAtFixedRate(this::check, CHECK_MILLIS, CHECK_MILLIS, TimeUnit.MILLISECONDS);
        sendAhead();
    }

    private void sendAhead() {
        while (stream.unanswered() < UNDER_WAY && (!finishing || stream.hasToRepeat())) {
            send();
        }
        ctx.flush();
    }

    private void send() {
        ByteBuf record = ctx.alloc().directBuffer(NumberedRecord.LENGTH);
        stream.writeNext(record);
        ctx.write(record, ctx.voidPromise());
    }

    private void check() {
        if (stream.verified() == verifiedAtLastCheck
                && stream.unanswered() > 0
                && ctx.channel().isWritable()) {
            send();
            ctx.flush();
        }
        verifiedAtLastCheck = stream.verified();
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
        if (check != null) {
            check.cancel(false);
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
