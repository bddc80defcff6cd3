package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.TestProcess;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * A client that says anything, right or wrong, byte by byte. Written after PROTOCOL.md and sharing no code with the
 * library, so it is also the check that the wire is what is written there.
 */
final class RawClient implements AutoCloseable {

    static final int HEL = 1;
    static final int ADD = 2;
    static final int GET = 3;
    static final int DEL = 4;
    static final int REP = 5;
    static final int TAG = 6;
    static final int INF = 7;
    static final int LST = 8;
    static final int UPD = 9;

    static final int DESCRIPTOR = 0x01;
    static final int REPLY = 0x80;

    static final int MAGIC = 0x45534352;

    /** What this client says that its descriptors are numbered. */
    static final int NUMBER = 7;

    /** As long as the library's, but tells no time. */
    static final byte[] HELLO = frame(HEL, 0, 0, 0, ints(MAGIC, 1 << 16, 0, 0));

    static {
        Epoll.ensureAvailability();
    }

    private final Socket socket;

    /** What the daemon sent in one packet. */
    record Packet(List<Integer> descriptors, List<Answer> answers) {
        Answer only() {
            assertEquals(1, answers.size(), () -> answers.toString());
            return answers.get(0);
        }
    }

    /** One frame of the daemon, its body not yet read. */
    record Answer(int opcode, int flags, int tag, int index, ByteBuffer body) {
        int errno() {
            assertEquals(REP, opcode, this::toString);
            return -body.getInt(0);
        }

        String text() {
            return UTF_8.decode(body.slice(4, body.limit() - 4)).toString();
        }
    }

    private RawClient(Socket socket) {
        this.socket = socket;
    }

    /** Connects, and says nothing yet. */
    static RawClient connect(Path path) throws IOException {
        RawClient client = new RawClient(Socket.newSocketDomain());
        assertTrue(client.socket.connect(new DomainSocketAddress(path.toString())));
        return client;
    }

    /** Connects, or returns {@code null} when the listen backlog is full. */
    static RawClient connectIfRoom(Path path) throws IOException {
        RawClient client = new RawClient(Socket.newSocketDomain());
        try {
            assertTrue(client.socket.connect(new DomainSocketAddress(path.toString())));
            return client;
        } catch (IOException e) {
            client.close();
            assertTrue(e.getMessage().contains("Resource temporarily unavailable"), e::toString);
            return null;
        }
    }

    /** Connects and greets. */
    static RawClient open(Path path) throws IOException {
        RawClient client = connect(path);
        client.greet();
        return client;
    }

    /** Accepts a connection, for a test that plays the daemon. */
    static RawClient accept(Socket listener) throws IOException {
        long deadline = deadline(TestProcess.PATIENCE_SECONDS);
        byte[] address = new byte[128];
        int number;
        while ((number = listener.accept(address)) < 0) {
            assertTrue(System.nanoTime() < deadline, "nobody connects");
            relax();
        }
        return new RawClient(new Socket(number));
    }

    /** Greets, and returns what the daemon answers. */
    Answer greet() throws IOException {
        Answer answer = ask(HELLO).only();
        assertEquals(HEL, answer.opcode());
        return answer;
    }

    // What to send

    static byte[] ints(int... values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length);
        bytes.asIntBuffer().put(values);
        return bytes.array();
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            joined.writeBytes(part);
        }
        return joined.toByteArray();
    }

    static byte[] frame(int opcode, int flags, int tag, int index, byte[] body) {
        return join(ints(8 + body.length, opcode << 24 | flags << 16 | tag, index), body);
    }

    static byte[] request(int opcode, int tag, int index) {
        return frame(opcode, 0, tag, index, new byte[0]);
    }

    /** Returns an ADD, of which the descriptor must be sent before it. */
    static byte[] addWithDescriptor(int tag, int index, byte[] payload) {
        return frame(ADD, DESCRIPTOR, tag, index, join(ints(NUMBER, payload.length), payload));
    }

    static byte[] add(int tag, int index, byte[] payload) {
        return frame(ADD, 0, tag, index, join(ints(-1, payload.length), payload));
    }

    static byte[] prelude(int framesLength, int descriptors) {
        return ints(framesLength, descriptors);
    }

    // Sending

    void packet(byte[]... frames) throws IOException {
        packet(List.of(), frames);
    }

    void packet(List<FileDescriptor> descriptors, byte[]... frames) throws IOException {
        byte[] joined = join(frames);
        bytes(prelude(joined.length, descriptors.size()));
        for (FileDescriptor descriptor : descriptors) {
            descriptor(descriptor);
        }
        bytes(joined);
    }

    void bytes(byte[] bytes) throws IOException {
        assertTrue(offer(bytes, TestProcess.PATIENCE_SECONDS), "the daemon does not read");
    }

    /** Sends bytes; returns false if they could not all be sent because nobody read for some time. */
    boolean offer(byte[] bytes, int patienceSeconds) throws IOException {
        ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes);
        int sent = 0;
        long deadline = deadline(patienceSeconds);
        while (sent < bytes.length && System.nanoTime() < deadline) {
            int n = socket.write(direct, sent, bytes.length);
            if (n > 0) {
                sent += n;
                deadline = deadline(patienceSeconds);
            } else {
                relax();
            }
        }
        return sent == bytes.length;
    }

    /** Returns this client's end of the connection. */
    FileDescriptor ownEnd() {
        return socket;
    }

    void descriptor(FileDescriptor descriptor) throws IOException {
        assertTrue(offer(descriptor, TestProcess.PATIENCE_SECONDS), "the daemon does not read");
    }

    /** Sends a descriptor; returns false if it could not be sent because nobody read for some time. */
    boolean offer(FileDescriptor descriptor, int patienceSeconds) throws IOException {
        long deadline = deadline(patienceSeconds);
        while (socket.sendFd(descriptor.intValue()) != 1) {
            if (System.nanoTime() > deadline) {
                return false;
            }
            relax();
        }
        return true;
    }

    /** Sends what is before a place in a message. */
    void send(Message message, Cut cut, TestFiles files) throws IOException {
        bytes(Arrays.copyOf(message.prelude(), cut.preludeBytes()));
        for (int i = 0; i < cut.descriptors(message); i++) {
            descriptor(files.get(message.files().get(i)));
        }
        bytes(Arrays.copyOf(message.joined(), cut.frameBytes(message)));
    }

    // Receiving

    /** Receives what is before a place in a message, and checks that it is as it should be. */
    void receive(Message message, Cut cut, TestFiles files) throws IOException {
        assertArrayEquals(Arrays.copyOf(message.prelude(), cut.preludeBytes()), array(read(cut.preludeBytes())));
        for (int i = 0; i < cut.descriptors(message); i++) {
            int number = receiveDescriptor();
            boolean right = files.is(message.files().get(i), number);
            new FileDescriptor(number).close();
            assertTrue(right, "a descriptor of another file came");
        }
        byte[] frames = array(read(cut.frameBytes(message)));
        if (!message.fromClient()) {
            assertArrayEquals(Arrays.copyOf(message.joined(), frames.length), frames);
        }
    }

    private static byte[] array(ByteBuffer bytes) {
        byte[] array = new byte[bytes.capacity()];
        bytes.get(array);
        return array;
    }

    /** Waits for the first byte of a packet. */
    void awaitFirstByte() throws IOException {
        read(1);
    }

    /** Sends a packet and returns the answer to it. */
    Packet ask(byte[]... frames) throws IOException {
        packet(frames);
        return receive();
    }

    /** Receives a packet; its descriptors are the caller's to close. */
    Packet receive() throws IOException {
        ByteBuffer prelude = read(8);
        List<Integer> descriptors = new ArrayList<>();
        int count = prelude.getInt(4);
        for (int i = 0; i < count; i++) {
            descriptors.add(receiveDescriptor());
        }
        ByteBuffer frames = read(prelude.getInt(0));
        List<Answer> answers = new ArrayList<>();
        while (frames.hasRemaining()) {
            int length = frames.getInt();
            int head = frames.getInt();
            int index = frames.getInt();
            byte[] body = new byte[length - 8];
            frames.get(body);
            answers.add(new Answer(head >>> 24, head >> 16 & 0xFF, head & 0xFFFF, index, ByteBuffer.wrap(body)));
        }
        return new Packet(descriptors, answers);
    }

    private int receiveDescriptor() throws IOException {
        long deadline = deadline(TestProcess.PATIENCE_SECONDS);
        for (int number = socket.recvFd(); ; number = socket.recvFd()) {
            if (number > 0) {
                return number;
            }
            assertTrue(number == 0 && System.nanoTime() < deadline, "no descriptor came");
            relax();
        }
    }

    private ByteBuffer read(int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocateDirect(length);
        long deadline = deadline(TestProcess.PATIENCE_SECONDS);
        for (int got = 0; got < length; ) {
            int n = socket.read(bytes, got, length);
            assertTrue(n >= 0 && System.nanoTime() < deadline, "no answer came");
            got += n;
            if (n == 0) {
                relax();
            }
        }
        return bytes;
    }

    /** Waits until the daemon has closed the session, and fails if it says anything more. */
    void awaitEnd() throws IOException {
        ByteBuffer bytes = ByteBuffer.allocateDirect(1);
        long deadline = deadline(TestProcess.PATIENCE_SECONDS);
        try {
            int n;
            while ((n = socket.read(bytes, 0, 1)) == 0) {
                assertTrue(System.nanoTime() < deadline, "the session goes on");
                relax();
            }
            assertEquals(-1, n);
        } catch (IOException e) {
            // Closed before it had read all that was sent: also an end.
            assertTrue(e.getMessage().contains("Connection reset"), e::toString);
        }
    }

    private static long deadline(int seconds) {
        return System.nanoTime() + SECONDS.toNanos(seconds);
    }

    /** Lets others run; what is waited for is asked for again and again. */
    private static void relax() {
        LockSupport.parkNanos(50_000);
    }

    /** Ends the session in the middle of whatever was sent, as a killed process would. */
    @Override
    public void close() throws IOException {
        socket.close();
    }
}
