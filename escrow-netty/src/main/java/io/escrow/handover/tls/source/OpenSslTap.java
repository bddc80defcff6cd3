package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.ContentType;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import javax.net.ssl.SSLSession;

/**
 * Stands on the network's side of the handler of TLS. Hands it whole records only, so that no part of one is in BoringSSL, and has
 * a {@link RecordLedger} count them. When that can't go on, it lets everything through as it comes, and the connection stays.
 */
final class OpenSslTap extends ChannelDuplexHandler implements RecordStream.Counter {

    /** What is behind the header of a record, at most: RFC 5246, 6.2.3. */
    private static final int MAX_LENGTH = (1 << 14) + 2048;

    private static final byte[] NOTHING = {};

    private final PlaintextMeter meter;
    private final TrafficSecrets secrets = new TrafficSecrets();
    private final HandshakeLedger handshake = new HandshakeLedger();
    private final RecordStream written = new RecordStream(this);
    private final Deque<ByteBuf> waiting = new ArrayDeque<>(1);
    private RecordLedger ledger = handshake;
    /** The {@code SSL*} of the engine, or 0. */
    private long pointer;

    private boolean passing;
    private boolean frozen;
    private ChannelHandlerContext context;
    private int scanned;
    /** Part of a record, or {@code null}. */
    private ByteBuf rest;

    OpenSslTap(PlaintextMeter meter) {
        this.meter = meter;
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

    /** Returns a copy of what was not handed to BoringSSL. */
    byte[] received() {
        return rest == null ? NOTHING : ByteBufUtil.getBytes(rest);
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
        if (!(msg instanceof ByteBuf buf)) {
            ctx.fireChannelRead(msg);
            return;
        }
        waiting.add(buf);
        readWaiting(ctx);
    }

    /** What comes while something is handed to BoringSSL, comes behind it. */
    private void readWaiting(ChannelHandlerContext ctx) {
        if (passing) {
            return;
        }
        passing = true;
        try {
            while (!frozen && !waiting.isEmpty()) {
                read(ctx, waiting.poll());
            }
        } finally {
            passing = false;
        }
    }

    private void read(ChannelHandlerContext ctx, ByteBuf buf) {
        while (rest != null && buf.isReadable() && ledger.trouble() == null) {
            addToRest(ctx, buf);
        }
        if (rest != null && ledger.trouble() != null) {
            ByteBuf before = rest;
            rest = null;
            ctx.fireChannelRead(before);
        }
        while (buf.isReadable()) {
            int count = ledger.trouble() == null ? scan(buf, ledger.isOneByOne() ? 1 : Integer.MAX_VALUE) : 0;
            if (ledger.trouble() != null) {
                ctx.fireChannelRead(buf);
                return;
            }
            if (count == 0) {
                begin(ctx, buf);
            } else if (scanned == buf.readableBytes()) {
                pass(ctx, buf, count);
                return;
            } else {
                pass(ctx, buf.readRetainedSlice(scanned), count);
            }
        }
        buf.release();
    }

    /** Keeps part of a record in a buffer that has room for all of it. */
    private void begin(ChannelHandlerContext ctx, ByteBuf buf) {
        int length = buf.readableBytes() < RecordStream.HEADER
                ? RecordStream.HEADER
                : RecordStream.HEADER + buf.getUnsignedShort(buf.readerIndex() + RecordStream.LENGTH_AT);
        rest = ctx.alloc().directBuffer(length).writeBytes(buf);
    }

    /** Adds to part of a record; passes that on when it is complete. */
    private void addToRest(ChannelHandlerContext ctx, ByteBuf buf) {
        boolean hasLength = rest.readableBytes() >= RecordStream.HEADER;
        int length = hasLength ? rest.getUnsignedShort(rest.readerIndex() + RecordStream.LENGTH_AT) : 0;
        int missing = RecordStream.HEADER + length - rest.readableBytes();
        rest.writeBytes(buf, Math.min(missing, buf.readableBytes()));
        int count = scan(rest, 1);
        if (count > 0) {
            ByteBuf record = rest;
            rest = null;
            pass(ctx, record, count);
        }
    }

    /** Counts the whole records in front, and their bytes into {@link #scanned}. */
    private int scan(ByteBuf buf, int max) {
        int start = buf.readerIndex();
        int end = buf.writerIndex();
        int at = start;
        int count = 0;
        while (count < max && end - at >= RecordStream.HEADER) {
            int type = buf.getUnsignedByte(at);
            int length = buf.getUnsignedShort(at + RecordStream.LENGTH_AT);
            if (type < ContentType.CHANGE_CIPHER_SPEC || type > ContentType.APPLICATION_DATA || length > MAX_LENGTH) {
                giveUp("what the client sent is no record of TLS");
                return 0;
            }
            if (end - at - RecordStream.HEADER < length) {
                break;
            }
            at += RecordStream.HEADER + length;
            count++;
        }
        scanned = at - start;
        return count;
    }

    private void pass(ChannelHandlerContext ctx, ByteBuf records, int count) {
        if (isShaking()) {
            SslHandler ssl = ctx.pipeline().get(SslHandler.class);
            follow(ssl);
            if (ssl == null || !ssl.handshakeFuture().isDone()) {
                passInHandshake(ctx, records);
                return;
            }
            finishHandshake(ssl, false);
        }
        RecordLedger current = ledger;
        if (current.trouble() == null) {
            current.reading(count);
        }
        if (current.trouble() != null || !current.needsRecords()) {
            ctx.fireChannelRead(records);
            return;
        }
        int from = records.readerIndex();
        int length = records.readableBytes();
        long before = meter.bytes();
        records.retain();
        ctx.fireChannelRead(records);
        if (!current.read(length, count, meter.bytes() - before)) {
            byte[] bytes = new byte[length];
            records.getBytes(from, bytes);
            current.open(bytes);
        }
        records.release();
    }

    private void passInHandshake(ChannelHandlerContext ctx, ByteBuf record) {
        boolean encrypted = record.getUnsignedByte(record.readerIndex()) == ContentType.APPLICATION_DATA;
        handshake.reading(record);
        TrafficSecrets before = KeyLog.current(secrets);
        ctx.fireChannelRead(record);
        KeyLog.current(before);
        SslHandler ssl = ctx.pipeline().get(SslHandler.class);
        follow(ssl);
        if (isShaking() && ssl != null && ssl.handshakeFuture().isDone()) {
            finishHandshake(ssl, encrypted);
        }
    }

    private void finishHandshake(SslHandler ssl, boolean exact) {
        if (ssl.handshakeFuture().isSuccess()) {
            establish(ssl, exact);
        } else {
            giveUp("the handshake failed");
        }
    }

    private void follow(SslHandler ssl) {
        if (pointer == 0 && ssl != null && ssl.engine() instanceof ReferenceCountedOpenSslEngine engine) {
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

    /** What it still has, goes where it would have gone without it. */
    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        giveUp("it is not followed");
        ByteBuf left = rest;
        rest = null;
        if (left != null && ctx.channel().isActive()) {
            ctx.fireChannelRead(left);
            ctx.fireChannelReadComplete();
        } else if (left != null) {
            left.release();
        }
        while (!waiting.isEmpty()) {
            waiting.poll().release();
        }
    }
}
