package io.escrow.examples.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Sends the same request to the control socket of a daemon again and again, on a thread of its own. */
final class ControlPoller {

    private final Path control;
    private final String request;
    private final Duration pause;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread thread = new Thread(this::run, "control-poller");
    private volatile IOException failure;
    private volatile int answers;

    /**
     * Starts the thread.
     *
     * @param control the path of the control socket
     * @param request the path of the request; {@code null} for no requests at all
     * @param pause the time between an answer and the next request
     */
    ControlPoller(Path control, String request, Duration pause) {
        this.control = control;
        this.request = request;
        this.pause = pause;
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        try {
            int done = 0;
            while (request != null && !ended.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
                request();
                answers = ++done;
            }
        } catch (IOException e) {
            failure = e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void request() throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(control));
            channel.write(ByteBuffer.wrap(("GET " + request + " HTTP/1.1\r\nHost: escrowd\r\n\r\n").getBytes(UTF_8)));
            ByteBuffer answer = ByteBuffer.allocate(64 * 1024);
            int first = channel.read(answer);
            if (first < 0 || !UTF_8.decode(answer.flip()).toString().startsWith("HTTP/1.1 200")) {
                throw new IOException("the answer to GET " + request + " is not \"200 OK\"");
            }
            while (channel.read(answer.clear()) >= 0) {
                Thread.onSpinWait();
            }
        }
    }

    /** Stops, and returns the number of answers. */
    int end() throws IOException, InterruptedException {
        ended.countDown();
        thread.join();
        if (failure != null) {
            throw failure;
        }
        return answers;
    }
}
