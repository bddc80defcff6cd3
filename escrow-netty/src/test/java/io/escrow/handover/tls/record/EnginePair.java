package io.escrow.handover.tls.record;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/** Two engines, and what is on its way between them. */
final class EnginePair {

    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    final SSLEngine client;
    private final ByteBuffer toServer = ByteBuffer.allocate(1 << 18);
    private final ByteBuffer toClient = ByteBuffer.allocate(1 << 18);
    private final ByteArrayOutputStream sentByServer = new ByteArrayOutputStream();

    SSLEngine server;

    /** What the last call said that received something. */
    Status lastReceived;

    EnginePair(SSLEngine client, SSLEngine server) {
        this.client = client;
        this.server = server;
    }

    /** Does the handshake, and lets the client have the tickets. */
    void shakeHands() throws SSLException {
        client.beginHandshake();
        server.beginHandshake();
        boolean more = true;
        while (more) {
            more = sendAll(client, NOTHING, toServer) > 0;
            receiveAll(server, toServer, 0);
            more |= sendAll(server, NOTHING, toClient) > 0;
            receiveAll(client, toClient, 0);
        }
    }

    /** Returns all that the server has sent until now. */
    byte[] sentByServer() {
        return sentByServer.toByteArray();
    }

    /** Sends from the client; what is on its way stays there until {@link #receiveByServer}. */
    void sendByClient(byte[] data) throws SSLException {
        sendAll(client, ByteBuffer.wrap(data), toServer);
    }

    /** Lets the client say close_notify. BoringSSL does so when it is asked to send, and does not ask for that. */
    void closeByClient() throws SSLException {
        client.closeOutbound();
        client.wrap(NOTHING, toServer);
    }

    /** Sends from the server. */
    void sendByServer(byte[] data) throws SSLException {
        sendAll(server, ByteBuffer.wrap(data), toClient);
    }

    /** Lets the server receive all but the last bytes on their way, of which whole records are taken. */
    byte[] receiveByServer(int kept) throws SSLException {
        return receiveAll(server, toServer, kept);
    }

    /** Lets the client receive. */
    byte[] receiveByClient() throws SSLException {
        return receiveAll(client, toClient, 0);
    }

    private int sendAll(SSLEngine from, ByteBuffer data, ByteBuffer net) throws SSLException {
        int start = net.position();
        runTasks(from);
        while (data.hasRemaining() || from.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
            SSLEngineResult result = from.wrap(data, net);
            runTasks(from);
            if (result.getStatus() == Status.BUFFER_OVERFLOW) {
                throw new AssertionError("more on its way than there is room for");
            }
            if (result.bytesProduced() == 0 && result.bytesConsumed() == 0) {
                break;
            }
        }
        if (from == server) {
            byte[] sent = new byte[net.position() - start];
            net.get(start, sent);
            sentByServer.writeBytes(sent);
        }
        return net.position() - start;
    }

    private byte[] receiveAll(SSLEngine to, ByteBuffer net, int kept) throws SSLException {
        ByteArrayOutputStream received = new ByteArrayOutputStream();
        ByteBuffer plain = ByteBuffer.allocate(1 << 15);
        net.flip();
        int end = net.limit();
        net.limit(Math.max(0, end - kept));
        boolean more = net.hasRemaining();
        while (more) {
            SSLEngineResult result = to.unwrap(net, plain.clear());
            lastReceived = result.getStatus();
            received.write(plain.array(), 0, plain.position());
            // BoringSSL wants to be called again behind a task, also without bytes.
            boolean ran = runTasks(to);
            more = ran || (net.hasRemaining() && result.bytesConsumed() > 0);
        }
        net.limit(end);
        net.compact();
        return received.toByteArray();
    }

    private static boolean runTasks(SSLEngine engine) {
        boolean ran = false;
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
            ran = true;
        }
        return ran;
    }
}
