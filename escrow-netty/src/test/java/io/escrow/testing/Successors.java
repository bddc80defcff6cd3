package io.escrow.testing;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs an example's server, and one after the other its successors, with an escrow between them. The server is in the
 * module's runnable jar, and says "Serving port".
 */
public final class Successors implements AutoCloseable {

    private static final String READY = "Serving port ";

    private final List<String> starter;
    private final List<String> arguments;
    private final JarProcess escrowd;
    private final int port;
    private JarProcess current;

    /**
     * Starts the daemon and the first server.
     *
     * @param directory where the socket of the daemon is
     * @param arguments what the server is told beside its escrow and its port
     */
    public Successors(Path directory, String... arguments) throws IOException, InterruptedException {
        this(directory, List.of(), arguments);
    }

    /**
     * Starts the daemon and the first server, and each server by way of another command.
     *
     * @param starter the command, which becomes the server
     */
    public Successors(Path directory, List<String> starter, String... arguments)
            throws IOException, InterruptedException {
        this.starter = List.copyOf(starter);
        Path escrow = directory.resolve("s");
        escrowd = JarProcess.escrowd(escrow);
        this.arguments = new ArrayList<>(List.of(arguments));
        this.arguments.add("--escrow=" + escrow);
        current = start(0);
        try {
            port = Integer.parseInt(current.nextWith(READY).replaceAll("\\D*(\\d+).*", "$1"));
        } catch (AssertionError e) {
            close();
            throw e;
        }
    }

    private JarProcess start(int onPort) throws IOException {
        List<String> all = new ArrayList<>(arguments);
        all.add("--port=" + onPort);
        return JarProcess.start(starter, all.toArray(String[]::new));
    }

    /** Returns the port that all of them serve. */
    public int port() {
        return port;
    }

    /** Returns the address of a resource. */
    public URI uri(String scheme, String path) {
        return URI.create(scheme + "://localhost:" + port + path);
    }

    /** Has the next process wait for its turn, and then ends the current one; returns how the next one came up. */
    public String waitThenEnd() throws IOException, InterruptedException {
        JarProcess next = start(port);
        try {
            next.nextWith("waiting for the session");
            endCurrent();
        } finally {
            current.close();
            current = next;
        }
        return next.nextWith(READY);
    }

    /** Ends the current process, and then starts the next one; returns how it came up. */
    public String endThenStart() throws IOException, InterruptedException {
        endCurrent();
        current = start(port);
        return current.nextWith(READY);
    }

    /** Kills the current process when it has nothing to do, and then starts the next one; returns how it came up. */
    public String killThenStart() throws IOException, InterruptedException {
        for (int i = 0; i < 3; i++) {
            // What the server stores may wait for an answer of the daemon.
            current.awaitAsleep();
            escrowd.awaitAsleep();
        }
        current.kill();
        current = start(port);
        return current.nextWith(READY);
    }

    /** Asks the current process to end, and waits until it has. */
    private void endCurrent() throws InterruptedException {
        current.terminate();
        int code = current.awaitExit();
        if (code != 0) {
            throw new AssertionError("exit code " + code + ": " + current.lines());
        }
    }

    @Override
    public void close() throws IOException {
        current.close();
        escrowd.close();
    }
}
