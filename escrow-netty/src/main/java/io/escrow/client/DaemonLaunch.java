package io.escrow.client;

import static java.util.Objects.requireNonNull;

import io.escrow.Limits;
import io.escrow.internal.Checks;
import java.nio.file.Path;

/**
 * Describes how a client starts a daemon when no process listens on its path. The daemon outlives the process that
 * starts it. Immutable.
 *
 * <p>The daemon is looked for on the class path, if that has Netty 4.2, then where {@link #from} names it, then where {@value
 * #ENVIRONMENT} in the environment names it. When several clients start a daemon at the same moment, one daemon serves them
 * all. It runs in {@code /}, and of the environment of the process it gets only what it needs itself.
 *
 * <pre>{@code
 * EscrowClient.builder().path(path).launch(DaemonLaunch.onDemand()).connect();
 * }</pre>
 */
public final class DaemonLaunch {

    /** The environment variable that names the daemon, a jar file or a program, when it is found nowhere else. */
    public static final String ENVIRONMENT = "ESCROWD";

    private final boolean replaceDeadSocket;
    private final int tags;
    private final Path from;

    private DaemonLaunch(boolean replaceDeadSocket, int tags, Path from) {
        this.replaceDeadSocket = replaceDeadSocket;
        this.tags = tags;
        this.from = from;
    }

    /**
     * Returns a launch with the daemon's own defaults.
     *
     * @return a launch that starts a daemon when there is none, and replaces no socket file
     */
    public static DaemonLaunch onDemand() {
        return new DaemonLaunch(false, 0, null);
    }

    /**
     * Sets whether the daemon may replace the socket file of a daemon that has died. Without that, a dead socket file
     * makes the start fail. The socket of a living daemon is never replaced.
     *
     * @param replace whether to replace it; {@code false} by default
     * @return a launch with this setting
     */
    public DaemonLaunch replaceDeadSocket(boolean replace) {
        return new DaemonLaunch(replace, tags, from);
    }

    /**
     * Sets the number of tags of the daemon. A daemon that runs already keeps its own number.
     *
     * @param number the number, 1 to 65,536; by default the daemon's own default
     * @return a launch with this setting
     * @throws IllegalArgumentException if the number is out of range
     */
    public DaemonLaunch tags(int number) {
        return new DaemonLaunch(replaceDeadSocket, Checks.inRange("tags", number, 1, Limits.MAX_TAGS), from);
    }

    /**
     * Sets where the daemon is if it is not on the class path.
     *
     * @param daemon a jar file ({@code escrowd.jar}) or a program; looked for when a daemon is started
     * @return a launch with this setting
     */
    public DaemonLaunch from(Path daemon) {
        return new DaemonLaunch(replaceDeadSocket, tags, requireNonNull(daemon, "daemon"));
    }

    boolean replacesDeadSocket() {
        return replaceDeadSocket;
    }

    /** Returns the number of tags; 0 for the daemon's own default. */
    int tags() {
        return tags;
    }

    /** Returns where the daemon is; {@code null} if that was not set. */
    Path from() {
        return from;
    }
}
