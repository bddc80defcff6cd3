package io.escrow.examples.bench;

import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Measures how fast descriptors pass from this process to another one, each in a message of its own, with nothing else:
 * {@code sendmsg} of one byte with one descriptor here, and there {@code recvmsg}, {@code fcntl} (which Netty's native
 * code does to each one) and {@code close}. Neither side sleeps while it waits.
 */
final class KernelLimit implements AutoCloseable {

    private static final String READY = "receiving";
    private static final List<String> OPTIONS = List.of("-XX:+UseSerialGC", "-Xmx64m");
    private static final int WARM_UP_PASSES = 5;

    private final ChildProcess receiver;
    private final Path path;
    private final Socket socket;
    private final int descriptors;

    private KernelLimit(ChildProcess receiver, Path path, Socket socket, int descriptors) {
        this.path = path;
        this.receiver = receiver;
        this.socket = socket;
        this.descriptors = descriptors;
    }

    /** Starts the other process, and warms both up; a measurement passes so many descriptors. */
    static KernelLimit start(ChildProcesses children, int descriptors) throws IOException, InterruptedException {
        Path path = children.file("limit.sock");
        ChildProcess receiver =
                children.start(READY, OPTIONS, Receiver.class, path.toString(), String.valueOf(descriptors));
        KernelLimit limit = new KernelLimit(receiver, path, Socket.newSocketDomain(), descriptors);
        limit.socket.connect(new DomainSocketAddress(path.toFile()));
        for (int pass = 0; pass < WARM_UP_PASSES; pass++) {
            limit.measure();
        }
        return limit;
    }

    /** Returns how many descriptors a second have passed. */
    double measure() throws IOException {
        Socket passed = Socket.newSocketStream();
        try {
            long start = System.nanoTime();
            for (int sent = 0; sent < descriptors; ) {
                if (socket.sendFd(passed.intValue()) > 0) {
                    sent++;
                } else {
                    Thread.onSpinWait();
                }
            }
            ByteBuffer answer = ByteBuffer.allocateDirect(1);
            int read = socket.read(answer, 0, 1);
            while (read == 0) {
                Thread.onSpinWait();
                read = socket.read(answer, 0, 1);
            }
            if (read < 0) {
                throw new IOException("process " + receiver.pid() + " has ended before it had all descriptors");
            }
            return descriptors * 1e9 / (System.nanoTime() - start);
        } finally {
            passed.close();
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
        receiver.awaitEnd();
        Files.delete(path);
    }

    /** The other process: closes what it receives, and sends a byte when it has had as many as it expects. */
    static final class Receiver {

        private Receiver() {}

        /**
         * Receives until the sender closes its socket.
         *
         * @param args the path to listen on; and how many descriptors come before each answer
         */
        public static void main(String[] args) throws IOException {
            Epoll.ensureAvailability(); // The sockets are its native code's.
            int expected = Integer.parseInt(args[1]);
            Socket listener = Socket.newSocketDomain();
            listener.bind(new DomainSocketAddress(args[0]));
            listener.listen(1);
            System.out.println(READY);
            Socket socket = accept(listener);
            ByteBuffer answer = ByteBuffer.allocateDirect(1);
            int received = 0;
            for (int number = socket.recvFd(); number >= 0; number = socket.recvFd()) {
                if (number == 0) {
                    Thread.onSpinWait();
                    continue;
                }
                new FileDescriptor(number).close();
                received++;
                if (received % expected == 0) {
                    socket.write(answer, 0, 1);
                }
            }
        }

        private static Socket accept(Socket listener) throws IOException {
            byte[] address = new byte[128];
            int number = listener.accept(address);
            while (number < 0) {
                Thread.onSpinWait();
                number = listener.accept(address);
            }
            return new Socket(number);
        }
    }
}
