package io.escrow.examples.spring;

import static org.awaitility.Awaitility.await;

import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Sends a message over a WebSocket for each one that comes back. */
final class EchoClient implements WebSocket.Listener {

    private final AtomicInteger sent = new AtomicInteger();
    private final AtomicInteger received = new AtomicInteger();
    private volatile boolean talking = true;
    private volatile String failure;
    private final StringBuilder text = new StringBuilder();
    private CompletableFuture<WebSocket> sending = CompletableFuture.completedFuture(null);
    private WebSocket socket;

    @Override
    public void onOpen(WebSocket opened) {
        socket = opened;
        opened.request(1);
        send();
    }

    private synchronized void send() {
        String message = "message " + sent.getAndIncrement();
        // The echo may be here before the JDK knows that its message is sent; then it would refuse the next.
        sending = sending.thenCompose(before -> socket.sendText(message, true)).whenComplete((done, problem) -> {
            if (problem != null) {
                failure = problem.toString();
            }
        });
    }

    @Override
    public CompletionStage<?> onText(WebSocket webSocket, CharSequence part, boolean last) {
        text.append(part);
        if (last) {
            String expected = "message " + received.get();
            if (!expected.contentEquals(text)) {
                failure = text + " (expected: " + expected + ")";
            }
            text.setLength(0);
            if (talking) {
                send();
            }
            // Last, so that as many are received as sent only when no more is to be sent.
            received.incrementAndGet();
        }
        webSocket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket webSocket, int status, String reason) {
        failure = "closed: " + status + " " + reason;
        return null;
    }

    @Override
    public void onError(WebSocket webSocket, Throwable error) {
        failure = error.toString();
    }

    /** Returns what went wrong; {@code null} if nothing did. */
    String failure() {
        return failure;
    }

    /** Counts the messages that came back. */
    int received() {
        return received.get();
    }

    /** Stops sending, and waits for the last message. */
    void silence() {
        talking = false;
        await().atMost(60, TimeUnit.SECONDS).until(() -> failure != null || received.get() == sent.get());
    }

    /** Sends again after a silence. */
    void talk() {
        talking = true;
        send();
    }
}
