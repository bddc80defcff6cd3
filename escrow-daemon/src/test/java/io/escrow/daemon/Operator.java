package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.SocketPath;
import io.escrow.control.Json;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One connection to a control socket: says anything, right or wrong, and reads as much of the answer as it likes. */
public final class Operator implements AutoCloseable {

    private final SocketChannel channel;
    private final InputStream in;

    /** What was answered, from its status to its end. */
    public record Answer(int status, Map<String, String> headers, String body) {
        List<String> lines() {
            return body.lines().toList();
        }

        public <T> T read(Class<T> type) {
            assertEquals(200, status, body);
            return Json.read(body, type);
        }
    }

    private Operator(SocketChannel channel) {
        this.channel = channel;
        this.in = Channels.newInputStream(channel);
    }

    /** Connects to the control socket of a daemon. */
    static Operator connect(Path path) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(SocketPath.control(path)));
        return new Operator(channel);
    }

    /** Asks, and waits for the whole answer. */
    public static Answer ask(Path path, String request) throws IOException {
        try (Operator operator = begin(path, request)) {
            return operator.answer();
        }
    }

    /** Reads the lines that a daemon has to tell. */
    public static <T> List<T> lines(Path path, String request, Class<T> type) throws IOException {
        Answer answer = ask(path, request);
        assertEquals(200, answer.status(), answer.body());
        return answer.lines().stream().map(line -> Json.read(line, type)).toList();
    }

    /** Asks, and reads nothing yet. */
    static Operator begin(Path path, String request) throws IOException {
        Operator operator = connect(path);
        operator.send(request + " HTTP/1.1\r\nHost: escrowd\r\n\r\n");
        return operator;
    }

    void send(String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(ISO_8859_1));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Reads an answer, and the end of the connection behind it. */
    Answer answer() throws IOException {
        String status = line();
        Map<String, String> headers = headers();
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        if (headers.containsKey("content-length")) {
            body.write(in.readNBytes(Integer.parseInt(headers.get("content-length"))));
        } else {
            byte[] chunk = chunk();
            for (; chunk.length > 0; chunk = chunk()) {
                body.write(chunk);
            }
        }
        assertEquals(-1, in.read(), "something behind the answer");
        return new Answer(Integer.parseInt(status.split(" ", -1)[1]), headers, body.toString(UTF_8));
    }

    /** Reads the beginning of an answer that comes in chunks. */
    void awaitChunks() throws IOException {
        assertEquals("HTTP/1.1 200 OK", line());
        assertEquals("chunked", headers().get("transfer-encoding"));
    }

    /** Reads the next chunk; an empty one is the last. */
    byte[] chunk() throws IOException {
        byte[] chunk = in.readNBytes(Integer.parseInt(line(), 16));
        assertEquals("", line());
        return chunk;
    }

    /** Reads to the end of the connection, whatever comes. */
    byte[] rest() throws IOException {
        return in.readAllBytes();
    }

    private Map<String, String> headers() throws IOException {
        Map<String, String> headers = new HashMap<>();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(": ");
            headers.put(line.substring(0, colon), line.substring(colon + 2));
        }
        return headers;
    }

    private String line() throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) {
                throw new EOFException("the connection ended behind \"" + line + "\"");
            }
            line.append((char) next);
        }
        return line.toString().strip();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
