package io.escrow.daemon.control;

import io.escrow.control.EventView;
import io.escrow.control.Json;
import io.escrow.daemon.events.Statistics;
import io.netty.channel.ChannelHandlerContext;
import io.netty.util.concurrent.Future;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Sends a line for each event until the operator closes the connection. Asks for new events four times a second, so
 * that the daemon's own event loop has little work with it. Runs on the operators' event loop.
 */
final class EventStream {

    private static final long INTERVAL_MILLIS = 250;

    private final ChannelHandlerContext http;
    private final ControlService service;
    private ControlService.News known;
    private boolean asked;
    private Future<?> looking;

    EventStream(ChannelHandlerContext http, ControlService service) {
        this.http = http;
        this.service = service;
    }

    void begin() {
        HttpResponses.beginLines(http);
        looking = http.executor()
                .scheduleWithFixedDelay(service.guard(this::look), 0, INTERVAL_MILLIS, TimeUnit.MILLISECONDS);
        http.channel().closeFuture().addListener(f -> looking.cancel(false));
    }

    private void look() {
        if (asked || !http.channel().isWritable()) {
            return; // The next request includes these events.
        }
        asked = true;
        service.news(known == null ? Long.MAX_VALUE : known.last())
                .whenCompleteAsync(
                        (news, failure) -> {
                            asked = false;
                            if (failure == null) {
                                send(news);
                            } else {
                                HttpResponses.endLines(http);
                            }
                        },
                        http.executor());
    }

    private void send(ControlService.News news) {
        StringBuilder lines = new StringBuilder();
        if (known == null) {
            append(lines, Instant.now(), "watching", Map.of());
        } else {
            appendMissed(lines, news);
            news.events().forEach(event -> append(lines, event.time(), event.name(), event.details()));
            news.changes().forEach((tag, changes) -> appendChanges(lines, tag, changes));
        }
        known = news;
        if (!lines.isEmpty()) {
            HttpResponses.sendLines(http, lines.toString());
        }
    }

    private void appendMissed(StringBuilder lines, ControlService.News news) {
        long missed = news.last() - known.last() - news.events().size();
        if (missed > 0) {
            append(lines, Instant.now(), "events missed", Map.of("events", missed));
        }
    }

    private void appendChanges(StringBuilder lines, int tag, Statistics.Changes changes) {
        Statistics.Changes recent = changes.since(known.changes().getOrDefault(tag, Statistics.Changes.NONE));
        if (!recent.equals(Statistics.Changes.NONE)) {
            Map<String, Object> details = new LinkedHashMap<>();
            details.put("tag", tag);
            details.put("added", recent.added());
            details.put("fetched", recent.fetched());
            details.put("deleted", recent.deleted());
            append(lines, Instant.now(), "slots changed", details);
        }
    }

    private static void append(StringBuilder lines, Instant time, String event, Map<String, Object> details) {
        lines.append(Json.write(new EventView(time.toString(), event, details))).append('\n');
    }
}
