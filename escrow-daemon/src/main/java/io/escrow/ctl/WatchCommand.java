package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.control.EventView;
import io.escrow.control.Json;
import io.escrow.control.StatusView;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;

/** Prints events as they happen. */
@Command(
        name = "watch",
        customSynopsis = "escrowd ctl watch [--json] [PATH]",
        description = {
            "Prints events until it is interrupted or escrowd ends.",
            "On a terminal it shows the status and the latest events; otherwise, and with --json, each event is a line."
        })
final class WatchCommand extends ViewCommand {

    private static final int LATEST = 12;
    private static final String CLEAR = "\u001b[H\u001b[2J";

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "none", 0, 0);
        if (!json() && onTerminal()) {
            showScreen(client);
            return 0;
        }
        client.lines("/events", line -> {
            out().println(json() ? line : text(Json.read(line, EventView.class)));
            out().flush();
            // The writer of picocli hides the errors of the stream below it.
            if (System.out.checkError()) {
                throw new UncheckedIOException(new IOException("no process reads the output"));
            }
        });
        return 0;
    }

    private void showScreen(ControlClient client) throws EscrowException {
        Deque<String> latest = new ConcurrentLinkedDeque<>();
        CompletableFuture<Void> events = CompletableFuture.runAsync(() -> {
            try {
                client.lines("/events", line -> {
                    latest.add(text(Json.read(line, EventView.class)));
                    if (latest.size() > LATEST) {
                        latest.remove();
                    }
                });
            } catch (EscrowException e) {
                throw new CompletionException(e);
            }
        });
        while (!isDone(events)) {
            List<String> lines = new ArrayList<>(StatusText.of(Json.read(client.get("/status"), StatusView.class)));
            lines.add("");
            lines.addAll(latest);
            out().print(CLEAR);
            print(lines);
            out().flush();
        }
    }

    /** Waits for a second; returns whether the stream of events has ended. */
    private static boolean isDone(CompletableFuture<Void> events) throws EscrowException {
        try {
            events.get(1, TimeUnit.SECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        } catch (ExecutionException e) {
            throw e.getCause() instanceof EscrowException failure
                    ? failure
                    : new EscrowException(Status.ECONNRESET, e.getCause().toString(), e);
        }
    }

    private static String text(EventView event) {
        LocalTime time = Instant.parse(event.time())
                .atZone(ZoneId.systemDefault())
                .toLocalTime()
                .truncatedTo(ChronoUnit.MILLIS);
        String details = event.details().entrySet().stream()
                .map(detail -> detail.getKey() + "=" + detail.getValue())
                .collect(Collectors.joining(" "));
        return Text.printable(time + "  " + event.event() + (details.isEmpty() ? "" : "  " + details));
    }

    private static boolean onTerminal() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/1")).startsWith("/dev/pts");
        } catch (IOException e) {
            return false;
        }
    }
}
