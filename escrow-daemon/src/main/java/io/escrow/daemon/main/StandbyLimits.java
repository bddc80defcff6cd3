package io.escrow.daemon.main;

import io.escrow.daemon.config.StandbyOptions;
import java.time.Duration;
import picocli.CommandLine.Option;

/** The options that bound how the daemon lives with a process that stands by. */
final class StandbyLimits {

    @Option(
            names = "--standby-timeout",
            paramLabel = "SECONDS",
            description =
                    "how long the escrowd that stands by may acknowledge nothing before this one goes on without it;"
                            + " default: ${DEFAULT-VALUE}")
    private long timeout = StandbyOptions.DEFAULT.timeout().toSeconds();

    @Option(
            names = "--handover-timeout",
            paramLabel = "SECONDS",
            description =
                    "how long a client may stop in the middle of a packet when this escrowd is to end, and hands over"
                            + " to the one that stands by; then its session is closed; default: ${DEFAULT-VALUE}")
    private long handover = StandbyOptions.DEFAULT.handover().toSeconds();

    @Option(
            names = "--standby-alarm",
            paramLabel = "SECONDS",
            description =
                    "how long no escrowd may stand by before the log says so (--standby); default: ${DEFAULT-VALUE}")
    private long alarm = StandbyOptions.DEFAULT.alarm().toSeconds();

    @Option(
            names = "--standby-alarm-interval",
            paramLabel = "SECONDS",
            description =
                    "how long after that the log says so again, as long as none stands by; default: ${DEFAULT-VALUE}")
    private long alarmInterval = StandbyOptions.DEFAULT.alarmInterval().toSeconds();

    @Option(
            names = "--standby-behind",
            paramLabel = "BYTES",
            description =
                    "how many bytes of changes, each of 2048 at least, the escrowd that stands by may not have carried out"
                            + " before this one goes on without it, 8388608 to 1073741824; what two packets of a client may"
                            + " change is always allowed; default: ${DEFAULT-VALUE}")
    private long behind = StandbyOptions.DEFAULT.behind();

    /** Returns what was given; throws an {@link IllegalArgumentException} that names a value which is out of range. */
    StandbyOptions options() {
        return new StandbyOptions(
                Duration.ofSeconds(timeout),
                Duration.ofSeconds(handover),
                Duration.ofSeconds(alarm),
                Duration.ofSeconds(alarmInterval),
                behind);
    }
}
