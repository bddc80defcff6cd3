package io.escrow.netty41;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/** A client of {@link EitherServer} on one connection: asks, again and again, and checks the answers. Has a thread. */
final class EitherClient implements AutoCloseable {

    private static final int PATIENCE_MILLIS = 60_000;

    private final boolean http;
    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;
    private final Set<String> lines = ConcurrentHashMap.newKeySet();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private volatile boolean ending;

    EitherClient(int port, boolean http) throws IOException {
        this.http = http;
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(PATIENCE_MILLIS);
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(socket.getOutputStream());
        Thread thread = new Thread(this::run, "client of " + port);
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        try {
            for (int i = 0; !ending; i++) {
                lines.add(ask("/" + i));
            }
            ended.complete(null);
        } catch (Throwable e) {
            ended.completeExceptionally(e);
        }
    }

    /** Asks once, and returns which line of Netty has answered. Not while the thread asks. */
    String ask(String text) throws IOException {
        String answer = http ? askHttp(text) : askRecord(text);
        if (!answer.endsWith(text)) {
            throw new AssertionError(answer + " where " + text + " was due");
        }
        return answer.substring(0, answer.length() - text.length());
    }

    /** Sends a record in two parts, so that a server is handed over in the middle of it now and then. */
    private String askRecord(String text) throws IOException {
        out.writeShort(text.length());
        out.write(text.getBytes(UTF_8));
        return new String(in.readNBytes(in.readUnsignedShort()), UTF_8);
    }

    private String askHttp(String uri) throws IOException {
        out.write(("GET " + uri + " HTTP/1.1\r\n").getBytes(ISO_8859_1));
        out.write("Host: a\r\n\r\n".getBytes(ISO_8859_1));
        int length = -1;
        for (String line = header(); !line.isEmpty(); line = header()) {
            if (line.startsWith("content-length: ")) {
                length = Integer.parseInt(line.substring("content-length: ".length()));
            }
        }
        return new String(in.readNBytes(length), UTF_8);
    }

    private String header() throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new EOFException("closed behind \"" + line + "\"");
            }
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    /** Returns which lines of Netty have answered. */
    Set<String> lines() {
        return lines;
    }

    /** Returns what fails when an answer does not come, or is not the one that is due. */
    CompletableFuture<Void> ended() {
        return ended;
    }

    /** Stops asking; the last answer still comes. */
    void end() {
        ending = true;
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
