package io.escrow.handover.tls.record;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.util.Objects;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/**
 * Goes on with a connection whose handshake another engine has done. It reports {@link HandshakeStatus#FINISHED} with the
 * first call that has nothing else to report, so that handlers behind it learn what they wait for, and puts no byte on the
 * wire for it.
 *
 * <p>To be called by one thread at a time, as its event loop does. {@link #getSession()} may be asked by any.
 */
public final class MovedEngine extends SettledEngine {

    private final TlsConnection connection;
    private boolean finished;
    private boolean taken;

    /**
     * Makes the engine; nothing is written by that.
     *
     * @param state of a connection that nothing else goes on with; its secrets are copied, and may be destroyed
     * @throws IllegalStateException if this JVM lacks the cipher
     */
    public MovedEngine(TlsState state) {
        super(new MovedSession(state.suite(), state.session()));
        connection = new TlsConnection(state);
    }

    /** Returns whether {@link #take()} is possible now: nothing is to be sent first, and nothing has failed. */
    public boolean isAtRest() {
        return !taken && !connection.hasControl() && !connection.hasFailed();
    }

    /**
     * Fills in where the connection is.
     *
     * @return whether it is between two records in both directions, and nothing is half done
     */
    public boolean at(TlsPosition position) {
        return connection.at(position) && !taken;
    }

    /** Returns a copy of the state as it is; the engine goes on, so that nothing else may. */
    public TlsState keys() {
        return connection.state(info());
    }

    /**
     * Freezes the engine, and returns what another process needs to go on. Until {@link #resume()}, nothing is sealed or
     * opened: {@code wrap} says that the engine is closed, {@code unwrap} fails.
     *
     * @return the state, which shares no secret with this engine
     * @throws IllegalStateException if the engine is not at rest
     */
    public TlsState take() {
        if (!isAtRest()) {
            throw new IllegalStateException(taken ? "the state was taken before" : "not at rest");
        }
        TlsState state = connection.state(info());
        taken = true;
        return state;
    }

    /**
     * Goes on, because no other process does: with the numbers that {@link #take()} has given away.
     *
     * @throws IllegalStateException if the state was not taken
     */
    public void resume() {
        if (!taken) {
            throw new IllegalStateException("the state was not taken");
        }
        taken = false;
    }

    /** Ends the engine for good, because another process goes on: overwrites its secrets as far as Java allows. */
    public void destroy() {
        taken = false;
        finished = true;
        connection.destroy();
    }

    @Override
    public SSLEngineResult wrap(ByteBuffer[] sources, int offset, int length, ByteBuffer target) throws SSLException {
        Objects.checkFromIndexSize(offset, length, sources.length);
        if (target.isReadOnly()) {
            throw new ReadOnlyBufferException();
        }
        if (taken) {
            return new SSLEngineResult(Status.CLOSED, HandshakeStatus.NOT_HANDSHAKING, 0, 0);
        }
        int content = content(sources, offset, length);
        if (content > 0 && !connection.isOutboundClosed()) {
            connection.beforeData();
        }
        int start = target.position();
        if (connection.hasControl()) {
            if (target.remaining() < connection.controlLength()) {
                return result(Status.BUFFER_OVERFLOW, 0, 0);
            }
            connection.sendControl(target);
            return result(isOutboundDone() ? Status.CLOSED : Status.OK, 0, target.position() - start);
        }
        if (connection.isOutboundClosed()) {
            return result(Status.CLOSED, 0, 0);
        }
        if (content == 0) {
            return result(Status.OK, 0, 0);
        }
        if (target.remaining() < connection.dataLength(content)) {
            return result(Status.BUFFER_OVERFLOW, 0, 0);
        }
        connection.sendData(sources, offset, content, target);
        return result(Status.OK, content, target.position() - start);
    }

    /** Returns how many bytes the next record takes. */
    private static int content(ByteBuffer[] sources, int offset, int length) {
        int content = 0;
        for (int i = offset; i < offset + length && content < RecordFormat.MAX_CONTENT; i++) {
            content = Math.min(RecordFormat.MAX_CONTENT, content + sources[i].remaining());
        }
        return content;
    }

    @Override
    public SSLEngineResult unwrap(ByteBuffer source, ByteBuffer[] targets, int offset, int length) throws SSLException {
        int room = room(targets, offset, length);
        if (taken) {
            throw new SSLException("bytes came for a connection that is being moved");
        }
        if (connection.isInboundClosed()) {
            return result(Status.CLOSED, 0, 0);
        }
        if (source.remaining() < RecordFormat.HEADER) {
            return result(Status.BUFFER_UNDERFLOW, 0, 0);
        }
        int recordLength = connection.recordLength(source);
        if (source.remaining() < recordLength) {
            return result(Status.BUFFER_UNDERFLOW, 0, 0);
        }
        int content = connection.contentLength(recordLength);
        if (room < content) {
            return result(Status.BUFFER_OVERFLOW, 0, 0);
        }
        ByteBuffer record = source.duplicate().limit(source.position() + recordLength);
        source.position(record.limit());
        int produced = receive(record, content, targets, offset, length);
        return result(connection.isInboundClosed() ? Status.CLOSED : Status.OK, recordLength, produced);
    }

    private static int room(ByteBuffer[] targets, int offset, int length) {
        Objects.checkFromIndexSize(offset, length, targets.length);
        int room = 0;
        for (int i = offset; i < offset + length; i++) {
            if (targets[i].isReadOnly()) {
                throw new ReadOnlyBufferException();
            }
            room = (int) Math.min(Integer.MAX_VALUE, (long) room + targets[i].remaining());
        }
        return room;
    }

    /** Receives a record, into the target itself if there is one that has room for all that is decrypted. */
    private int receive(ByteBuffer record, int content, ByteBuffer[] targets, int offset, int length)
            throws SSLException {
        if (length == 1 && targets[offset].remaining() > content) {
            int start = targets[offset].position();
            connection.receive(record, targets[offset]);
            return targets[offset].position() - start;
        }
        ByteBuffer plain = ByteBuffer.allocate(content + 1);
        connection.receive(record, plain);
        int produced = plain.flip().remaining();
        for (int i = offset; plain.hasRemaining(); i++) {
            int part = Math.min(plain.remaining(), targets[i].remaining());
            targets[i].put(plain.slice(plain.position(), part));
            plain.position(plain.position() + part);
        }
        return produced;
    }

    private SSLEngineResult result(Status status, int consumed, int produced) {
        HandshakeStatus handshake = getHandshakeStatus();
        if (!finished && status == Status.OK && handshake == HandshakeStatus.NOT_HANDSHAKING) {
            finished = true;
            handshake = HandshakeStatus.FINISHED;
        }
        return new SSLEngineResult(status, handshake, consumed, produced);
    }

    @Override
    public HandshakeStatus getHandshakeStatus() {
        return connection.hasControl() && !taken ? HandshakeStatus.NEED_WRAP : HandshakeStatus.NOT_HANDSHAKING;
    }

    /**
     * Asks for new keys of both directions, in TLS 1.3.
     *
     * @throws SSLException in TLS 1.2, where that would be another handshake
     */
    @Override
    public void beginHandshake() throws SSLException {
        if (!getSession().getProtocol().equals(CipherSuite.TLS_1_3)) {
            throw new SSLException("a connection that has moved can't be renegotiated");
        }
        connection.updateKey(true);
    }

    @Override
    public void closeInbound() throws SSLException {
        if (!connection.closeInbound()) {
            throw new SSLException("the connection ends without a close_notify of the peer");
        }
    }

    @Override
    public boolean isInboundDone() {
        return connection.isInboundClosed();
    }

    @Override
    public void closeOutbound() {
        connection.closeOutbound();
    }

    @Override
    public boolean isOutboundDone() {
        return connection.isOutboundClosed() && !connection.hasControl();
    }
}
