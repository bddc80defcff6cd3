package io.escrow.examples;

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

/** Asks a daemon's control socket the same thing again and again, on a thread of its own. */
final class Onlooker {

    private final Path control;
    private final String request;
    private final Duration pause;
    private final CountDownLatch enough = new CountDownLatch(1);
    private final Thread thread = new Thread(this::run, "onlooker");
    private volatile IOException failure;
    private volatile int looks;

    /**
     * Begins.
     *
     * @param control the path of the control socket
     * @param request what to ask for; {@code null} for nothing
     * @param pause how long to wait between an answer and the next request
     */
    Onlooker(Path control, String request, Duration pause) {
        this.control = control;
        this.request = request;
        this.pause = pause;
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        try {
            int done = 0;
            while (request != null && !enough.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
                look();
                looks = ++done;
            }
        } catch (IOException e) {
            failure = e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void look() throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(control));
            channel.write(ByteBuffer.wrap(("GET " + request + " HTTP/1.1\r\nHost: escrowd\r\n\r\n").getBytes(UTF_8)));
            ByteBuffer answer = ByteBuffer.allocate(64 * 1024);
            int first = channel.read(answer);
            if (first < 0 || !UTF_8.decode(answer.flip()).toString().startsWith("HTTP/1.1 200")) {
                throw new IOException("no answer to " + request);
            }
            while (channel.read(answer.clear()) >= 0) {
                Thread.onSpinWait();
            }
        }
    }

    /** Ends; returns how often it has looked. */
    int end() throws IOException, InterruptedException {
        enough.countDown();
        thread.join();
        if (failure != null) {
            throw failure;
        }
        return looks;
    }
}
