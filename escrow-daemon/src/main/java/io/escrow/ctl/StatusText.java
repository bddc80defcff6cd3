package io.escrow.ctl;

import io.escrow.control.SessionView;
import io.escrow.control.StandbyView;
import io.escrow.control.StatusView;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Formats the status of a daemon as text. */
final class StatusText {

    private StatusText() {}

    static List<String> of(StatusView status) {
        List<String> lines = new ArrayList<>();
        lines.add("escrowd " + status.version() + " at " + status.path() + ", process " + status.pid() + ", up "
                + Text.duration(status.uptimeSeconds()));
        lines.add("session: " + (status.session() == null ? "none" : session(status.session())));
        lines.add("waiting: " + Text.number(status.waiting()));
        if (status.standby() != null) {
            lines.add("standby: " + standby(status.standby()));
        }
        lines.add("");
        lines.addAll(held(status));
        if (!status.tags().isEmpty()) {
            lines.add("");
            lines.addAll(tags(status.tags()));
        }
        lines.add("");
        lines.addAll(counters(status.counters()));
        return lines;
    }

    private static String standby(StandbyView standby) {
        String time = " for " + Text.duration(standby.seconds());
        if (standby.pid() == null) {
            return "NONE" + time;
        }
        return process(standby.pid(), null) + ", escrowd " + Text.printable(standby.version())
                + (standby.inStep() ? ", in step" : ", NOT YET IN STEP") + time + ", behind: "
                + Text.number(standby.changesBehind()) + " changes, " + Text.number(standby.bytesBehind()) + " bytes";
    }

    private static String session(SessionView session) {
        return process(session.pid(), session.program()) + ", user " + Integer.toUnsignedString(session.uid())
                + ", for "
                + Text.duration(session.seconds())
                + (session.queuedSeconds() == null ? "" : ", waited " + Text.duration(session.queuedSeconds()))
                + ", " + Text.number(session.requests()) + " requests";
    }

    /** Returns the name of a process. */
    static String process(int pid, String program) {
        return "process " + (pid == 0 ? "(in another container)" : pid) + (program == null ? "" : " (" + program + ")");
    }

    private static List<String> held(StatusView status) {
        Table table = new Table("", "held", "limit");
        table.add("slots", Text.number(status.slots()), Text.number(status.maxSlots()));
        table.add("descriptors", Text.number(status.descriptors()), Text.number(status.maxDescriptors()));
        table.add("payload bytes", Text.number(status.payloadBytes()), Text.number(status.maxPayloadBytes()));
        table.add("open files", Text.number(status.openFiles()), Text.number(status.maxOpenFiles()));
        return table.lines();
    }

    private static List<String> tags(List<StatusView.TagView> tags) {
        Table table = new Table("tag", "slots", "descriptors", "payload bytes");
        for (StatusView.TagView tag : tags) {
            table.add(
                    tag.tag(),
                    Text.number(tag.slots()),
                    Text.number(tag.descriptors()),
                    Text.number(tag.payloadBytes()));
        }
        return table.lines();
    }

    private static List<String> counters(StatusView.Counters counters) {
        List<String> lines = new ArrayList<>();
        lines.add("sessions: " + Text.number(counters.sessions()) + " (timed out " + counters.timedOut() + ", evicted "
                + counters.evicted() + "); clients refused: " + counters.refused());
        lines.add("slots closed by escrowd: expired " + Text.number(counters.expired()) + ", reaped "
                + Text.number(counters.reaped()) + ", by operators " + counters.removed());
        if (counters.logLinesDropped() > 0) {
            lines.add("lines of the log dropped: " + Text.number(counters.logLinesDropped()));
        }
        counters.requests()
                .forEach((request, outcomes) -> lines.add("requests " + request + ": "
                        + outcomes.entrySet().stream()
                                .map(outcome -> Text.number(outcome.getValue()) + " " + outcome.getKey())
                                .collect(Collectors.joining(", "))));
        return lines;
    }
}
