package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.ContentType;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import javax.net.ssl.SSLSession;

/**
 * Stands on the network's side of the handler of TLS. Lets everything through, has a {@link RecordLedger} count the records, and
 * keeps the bytes of one whose end has not come, since BoringSSL does not give them back. When that can't go on, the connection
 * stays.
 */
final class OpenSslTap extends ChannelDuplexHandler implements RecordStream.Counter {

    private final PlaintextMeter meter;
    private final TrafficSecrets secrets = new TrafficSecrets();
    private final HandshakeLedger handshake = new HandshakeLedger();
    private final ReceivedRecords received = new ReceivedRecords();
    private final RecordStream written = new RecordStream(this);
    private RecordLedger ledger = handshake;

    /** What has come while something else was handed to BoringSSL; {@code null} if nothing did, as ever but then. */
    private Deque<ByteBuf> waiting;

    /** What counts the bytes of the network; {@code null} if it does so by itself. */
    private NetworkMeter network;

    /** The {@code SSL*} of the engine, or 0. */
    private long pointer;

    private boolean passing;
    private boolean frozen;
    private ChannelHandlerContext context;

    OpenSslTap(PlaintextMeter meter) {
        this.meter = meter;
    }

    /** Sets what counts the bytes of the network from now on. */
    void tell(NetworkMeter told) {
        network = told;
    }

    /** Leaves a pipeline. What was told counts by itself then. */
    void leave(ChannelPipeline pipeline) {
        if (network == null) {
            pipeline.remove(this);
        } else {
            pipeline.replace(this, NetworkMeter.NAME, network);
        }
    }

    /** Returns the account of the connection, whose handler of TLS this is. */
    RecordLedger ledger(SslHandler ssl) {
        if (isShaking() && ssl.handshakeFuture().isSuccess()) {
            establish(ssl, false);
        }
        return ledger;
    }

    /** Returns whether each record that was written is complete. */
    boolean isBetweenRecords() {
        return written.isBetweenRecords();
    }

    /** Returns a copy of what has come of a record whose end has not. */
    byte[] received() {
        return received.part();
    }

    /** Returns whether nothing has come of a record whose end has not. */
    boolean hasNothingReceived() {
        return !passing && waiting == null && received.isEmpty();
    }

    /** Lets nothing in or out: what is written fails, and what is read waits. */
    void freeze() {
        frozen = true;
    }

    /** Goes on after {@link #freeze}. */
    void resume() {
        frozen = false;
        readWaiting(context);
    }

    /** Has the connection go on elsewhere, after {@link #freeze}. */
    void destroy() {
        giveUp("the connection has moved");
    }

    private boolean isShaking() {
        return ledger == handshake && handshake.trouble() == null;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (network != null) {
            network.reading(msg);
        }
        if (!(msg instanceof ByteBuf buf)) {
            ctx.fireChannelRead(msg);
            return;
        }
        if (passing || frozen || waiting != null) {
            if (waiting == null) {
                waiting = new ArrayDeque<>();
            }
            waiting.add(buf);
        } else {
            passing = true;
            try {
                read(ctx, buf);
            } finally {
                passing = false;
            }
        }
        if (waiting != null) {
            readWaiting(ctx);
        }
    }

    /** What comes while something is handed to BoringSSL, comes behind it. */
    private void readWaiting(ChannelHandlerContext ctx) {
        if (passing || waiting == null) {
            return;
        }
        passing = true;
        try {
            while (!frozen && waiting != null && !waiting.isEmpty()) {
                read(ctx, waiting.poll());
            }
            if (waiting != null && waiting.isEmpty()) {
                waiting = null;
            }
        } finally {
            passing = false;
        }
    }

    private void read(ChannelHandlerContext ctx, ByteBuf buf) {
        while (ledger.trouble() == null && buf.isReadable()) {
            boolean oneByOne = ledger.isOneByOne();
            if (!received.scan(buf, oneByOne ? 1 : Integer.MAX_VALUE)) {
                giveUp("what the client sent is no record of TLS");
            } else if (oneByOne && received.count() > 0 && received.length() < buf.readableBytes()) {
                pass(ctx, buf.readRetainedSlice(received.length()));
            } else {
                pass(ctx, buf);
                return;
            }
        }
        if (ledger.trouble() != null) {
            received.release();
        }
        ctx.fireChannelRead(buf);
    }

    /** Passes on what was looked at. */
    private void pass(ChannelHandlerContext ctx, ByteBuf records) {
        int count = received.count();
        int from = records.readerIndex();
        int length = received.length();
        ByteBuf before = received.advance(records, ctx.alloc());
        if (count == 0) {
            ctx.fireChannelRead(records);
        } else if (isShaking()) {
            passOne(ctx, records, before);
        } else {
            passAll(ctx, records, before, from, length, count);
        }
        if (before != null) {
            before.release();
        }
    }

    /** Passes on what ends one record, when the handshake was not done before it came. */
    private void passOne(ChannelHandlerContext ctx, ByteBuf record, ByteBuf before) {
        SslHandler ssl = ctx.pipeline().get(SslHandler.class);
        follow(ssl);
        int from = record.readerIndex();
        int length = record.readableBytes();
        if (ssl == null || !ssl.handshakeFuture().isDone()) {
            passInHandshake(ctx, record, ReceivedRecords.copy(before, record, from, length));
        } else {
            finishHandshake(ssl, false);
            passAll(ctx, record, before, from, length, 1);
        }
    }

    private void passAll(ChannelHandlerContext ctx, ByteBuf records, ByteBuf before, int from, int length, int count) {
        RecordLedger current = ledger;
        if (current.trouble() == null) {
            current.reading(count);
        }
        if (current.trouble() != null || !current.needsRecords()) {
            ctx.fireChannelRead(records);
            return;
        }
        int bytes = before == null ? length : before.readableBytes() + length;
        long seen = meter.bytes();
        records.retain();
        ctx.fireChannelRead(records);
        if (!current.read(bytes, count, meter.bytes() - seen)) {
            current.open(ReceivedRecords.copy(before, records, from, length));
        }
        records.release();
    }

    private void passInHandshake(ChannelHandlerContext ctx, ByteBuf end, byte[] record) {
        handshake.reading(record);
        TrafficSecrets others = KeyLog.current(secrets);
        ctx.fireChannelRead(end);
        KeyLog.current(others);
        SslHandler ssl = ctx.pipeline().get(SslHandler.class);
        follow(ssl);
        if (isShaking() && ssl != null && ssl.handshakeFuture().isDone()) {
            finishHandshake(ssl, record[0] == ContentType.APPLICATION_DATA);
        }
    }

    private void finishHandshake(SslHandler ssl, boolean exact) {
        if (ssl.handshakeFuture().isSuccess()) {
            establish(ssl, exact);
        } else {
            giveUp("the handshake failed");
        }
    }

    /** Hears the secrets of an engine. When its handshake has begun, those of TLS 1.3 may be missed. */
    void follow(SslHandler ssl) {
        if (pointer == 0 && ssl != null && ssl.engine() instanceof ReferenceCountedOpenSslEngine engine) {
            KeyLog.listenToContextOf(engine);
            pointer = engine.sslPointer();
            KeyLog.follow(pointer, secrets);
        }
    }

    /** The handshake is done. */
    private void establish(SslHandler ssl, boolean exact) {
        SSLSession session = ssl.engine().getSession();
        Optional<CipherSuite> suite = CipherSuite.of(session.getProtocol(), session.getCipherSuite());
        if (suite.isEmpty()) {
            giveUp(session.getProtocol() + " with " + session.getCipherSuite()
                    + " can't move: let the context offer only TLSv1.3, and TLSv1.2 with AES-GCM or ChaCha20-Poly1305");
        } else if (!suite.get().isTls13()) {
            ledger = handshake.tls12(suite.get());
        } else if (secrets.areOf(pointer)) {
            ledger = handshake.tls13(suite.get(), secrets, exact);
        } else {
            giveUp(
                    "BoringSSL did not tell the secrets of its handshake: give the SslContext to MovableTls.of before its first"
                            + " handshake, and let no SniHandler make SslHandlers with an executor for delegated tasks");
        }
        forget();
    }

    private void giveUp(String why) {
        ledger.trouble(why);
        received.release();
        forget();
    }

    private void forget() {
        KeyLog.forget(pointer, secrets);
        secrets.destroy();
        handshake.destroy();
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        if (frozen) {
            ReferenceCountUtil.release(msg);
            promise.tryFailure(new IllegalStateException("the connection is being moved, or has moved"));
            return;
        }
        if (network != null) {
            network.writing(msg);
        }
        if (msg instanceof ByteBuf buf && ledger.trouble() == null) {
            written.add(buf);
        }
        ctx.write(msg, promise);
    }

    @Override
    public boolean begin(int type, int length) {
        return ledger.begin(type, length);
    }

    @Override
    public void copied(byte[] record) {
        ledger.copied(record);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        ctx.fireChannelInactive();
        giveUp("the connection is closed");
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        giveUp("it is not followed");
        if (waiting != null) {
            waiting.forEach(ByteBuf::release);
            waiting = null;
        }
    }
}
