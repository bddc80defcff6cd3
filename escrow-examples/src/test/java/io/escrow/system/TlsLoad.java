package io.escrow.system;

import io.escrow.system.TlsServer.Suite;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;

/**
 * Asks and checks again and again, some at once and some after a rest, and connects anew when the connection is reset. Each run is one
 * step, and schedules the next.
 */
final class TlsLoad implements Runnable {

    private final int port;
    private final SSLContext context;
    private final int number;
    private final AtomicInteger echoes;
    private final AtomicBoolean enough;
    private final ScheduledExecutorService threads;
    private final Random random;
    private final Suite suite;
    private final CompletableFuture<Integer> ended = new CompletableFuture<>();
    private TlsClient client;
    private int records;

    /**
     * Makes a load.
     *
     * @param number is another one for each: the suite and all that is random come from it
     * @param echoes counts what was checked
     * @param enough says when to end
     */
    TlsLoad(
            int port,
            SSLContext context,
            int number,
            AtomicInteger echoes,
            AtomicBoolean enough,
            ScheduledExecutorService threads) {
        this.port = port;
        this.context = context;
        this.number = number;
        this.echoes = echoes;
        this.enough = enough;
        this.threads = threads;
        this.random = new Random(number);
        this.suite = TlsServer.SUITES.get(number % TlsServer.SUITES.size());
    }

    /** Returns how many records have come, when that is enough. Fails with what nobody expects. */
    CompletableFuture<Integer> ended() {
        return ended;
    }

    @Override
    public void run() {
        try {
            try {
                step();
            } catch (SocketException | EOFException reset) {
                // Its server was killed in the middle of something.
                disconnect();
            }
            if (enough.get()) {
                disconnect();
                ended.complete(records);
            } else {
                threads.schedule(this, 5L * random.nextInt(3) * (number % 4), TimeUnit.MILLISECONDS);
            }
        } catch (Throwable e) {
            ended.completeExceptionally(e);
        }
    }

    private void step() throws IOException {
        if (client == null) {
            client = new TlsClient(port, context, suite.protocol(), suite.name(), number);
        }
        for (int i = random.nextInt(3); i >= 0; i--) {
            client.ask(random.nextInt(10) == 0 ? random.nextInt(100_000) : random.nextInt(100));
        }
        client.check();
        echoes.incrementAndGet();
        if (suite.protocol().equals("TLSv1.3") && random.nextInt(50) == 0) {
            client.updateKeys();
        }
    }

    private void disconnect() throws IOException {
        if (client != null) {
            records += client.records();
            client.close();
            client = null;
        }
    }
}
