package io.escrow.daemon.main;

import io.escrow.EscrowException;
import io.escrow.InheritedSockets;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.ctl.Ctl;
import io.escrow.ctl.OperatorCommand;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.OperatorOptions;
import io.escrow.daemon.config.SessionTimeouts;
import io.escrow.daemon.config.UnclaimedOptions;
import io.escrow.daemon.socket.InheritedListener;
import io.escrow.internal.DaemonProcess;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The program {@code escrowd}: reads the command line, and runs the daemon. */
@Command(
        name = "escrowd",
        description = "Holds file descriptors for other processes.",
        sortOptions = false,
        usageHelpAutoWidth = true,
        versionProvider = Escrowd.Version.class,
        exitCodeListHeading = "Exit status:%n",
        exitCodeList = {
            " 0:runs in the background (--daemonise), or another escrowd serves in its place",
            " 1:could not start",
            " 2:bad usage",
            " 3:could not go on; the log says why",
            "143:stopped by SIGTERM"
        },
        footer = {"", "escrowd ctl COMMAND [PATH] inspects and controls a running escrowd; see escrowd ctl --help."})
public final class Escrowd implements Callable<Integer> {

    private static final String CTL = "ctl";

    /** Netty takes the stack of a sample of all buffers and descriptors: a tenth of what a request costs. */
    private static final List<String> LEAK_LEVELS =
            List.of("io.netty.leakDetection.level", "io.netty.leakDetectionLevel");

    @Parameters(
            arity = "0..1",
            paramLabel = "PATH",
            description = "path of the UNIX domain socket, at most " + SocketPath.MAX_LENGTH + " bytes; default: "
                    + SocketPath.ENVIRONMENT + " in the environment, or the path of the socket that systemd has bound"
                    + " (LISTEN_FDS)")
    private String path;

    @Option(
            names = {"-f", "--force"},
            description = "replace the socket of a daemon that has ended")
    private boolean force;

    @Option(
            names = "--takeover",
            description =
                    "take the place of the escrowd that serves PATH, with all that it holds; that one ends. If this is"
                            + " not possible, that one goes on. escrowctl upgrade does it with the options of that one")
    private boolean takeover;

    @Option(
            names = "--standby",
            description =
                    "have all that the escrowd that serves PATH has, and serve when it ends, even if it is killed; serve at once"
                            + " if none does. Start two alike. The one that serves complains in its log while no other one stands by")
    private boolean standby;

    @Mixin
    private StandbyLimits standbyLimits;

    @Option(
            names = {"-v", "--verbose"},
            description = "print every message on stderr")
    private boolean verbose;

    @Mixin
    private LogOptions log;

    @Option(
            names = {"-d", "--daemonise"},
            description = "continue in the background after the start")
    private boolean daemonise;

    @Mixin
    private AccessOptions access;

    @Mixin
    private LimitOptions limits;

    @Option(
            names = "--backlog",
            paramLabel = "N",
            description =
                    "most clients in the queue, up to net.core.somaxconn; when it is full, further clients try again;"
                            + " default: ${DEFAULT-VALUE}; for a socket that systemd has bound: its Backlog=")
    private int backlog = DaemonOptions.DEFAULT_BACKLOG;

    @Option(
            names = "--hello-timeout",
            paramLabel = "SECONDS",
            description =
                    "how long a client may take to send its hello when its session begins; default: ${DEFAULT-VALUE}")
    private long helloTimeout = SessionTimeouts.DEFAULT.hello().toSeconds();

    @Option(
            names = "--stall-timeout",
            paramLabel = "SECONDS",
            description = "how long a client may stop in the middle of a packet; default: ${DEFAULT-VALUE}")
    private long stallTimeout = SessionTimeouts.DEFAULT.stall().toSeconds();

    @Option(
            names = "--write-timeout",
            paramLabel = "SECONDS",
            description = "how long a client may leave its answers unread; default: ${DEFAULT-VALUE}")
    private long writeTimeout = SessionTimeouts.DEFAULT.write().toSeconds();

    @Option(
            names = "--unclaimed-timeout",
            paramLabel = "SECONDS",
            description =
                    "close all slots, after writing their farewells, when there was no session for so long; default: never")
    private long unclaimedTimeout;

    @Option(names = "--reap", description = "free slots whose peer has gone while there is no session")
    private boolean reap;

    @Option(
            names = "--reap-interval",
            paramLabel = "SECONDS",
            description = "how often to check for such slots; default: ${DEFAULT-VALUE}")
    private long reapInterval = 10;

    @Option(
            names = "--metrics",
            paramLabel = "[HOST:]PORT",
            converter = HostAndPort.class,
            description = "serve metrics for Prometheus over HTTP; default of HOST: 127.0.0.1")
    private InetSocketAddress metrics;

    @Option(
            names = "--ctl-connections",
            paramLabel = "N",
            description =
                    "most operators connected to the control socket at a time, 1 to 24; default: ${DEFAULT-VALUE}")
    private int ctlConnections = OperatorOptions.DEFAULT.connections();

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "print this help and exit")
    @SuppressWarnings("UnusedVariable") // set and read by picocli
    private boolean help;

    @Option(names = "--version", versionHelp = true, description = "print the version and exit")
    @SuppressWarnings("UnusedVariable") // set and read by picocli
    private boolean version;

    private final String[] args;

    private Escrowd(String[] args) {
        this.args = args.clone();
    }

    /**
     * Runs the daemon.
     *
     * @param args the arguments; see {@code --help}
     */
    public static void main(String[] args) {
        if (LEAK_LEVELS.stream().allMatch(name -> System.getProperty(name) == null)) {
            System.setProperty(LEAK_LEVELS.get(0), "disabled");
        }
        System.exit(run(args));
    }

    /** Runs the daemon until it ends; returns the exit status. */
    public static int run(String... args) {
        // Only if needed: reading all its commands would make the start of the daemon slower.
        boolean operator = args.length > 0 && args[0].equals(CTL);
        if (operator) {
            // By default logback would write the log to stdout, among the answers.
            LogFormat.TEXT.apply();
        }
        return commandLine(operator, args)
                .setParameterExceptionHandler((e, given) ->
                        complain(e.getCommandLine(), usage(e) + " (see --help)", CommandLine.ExitCode.USAGE))
                .setExecutionExceptionHandler((e, line, result) -> complain(line, e.getMessage(), exitStatus(line, e)))
                .execute(args);
    }

    /** Creates the command line, with or without the operators' commands. */
    static CommandLine commandLine(boolean operator, String... args) {
        CommandLine escrowd = new CommandLine(new Escrowd(args));
        if (operator) {
            escrowd.addSubcommand(CTL, new Ctl());
        }
        return escrowd.setPosixClusteredShortOptionsAllowed(false);
    }

    private static String usage(CommandLine.ParameterException e) {
        Set<String> commands = e.getCommandLine().getCommand() instanceof Ctl
                ? e.getCommandLine().getSubcommands().keySet()
                : Set.of();
        return e instanceof CommandLine.UnmatchedArgumentException unmatched && !commands.isEmpty()
                ? "'" + unmatched.getUnmatched().get(0) + "' is no command (expected: " + String.join(", ", commands)
                        + ")"
                : e.getMessage();
    }

    private static int exitStatus(CommandLine line, Exception e) {
        return line.getCommand() instanceof OperatorCommand
                ? OperatorCommand.exitStatus(e)
                : CommandLine.ExitCode.SOFTWARE;
    }

    private static int complain(CommandLine line, String text, int exitCode) {
        System.err.println(line.getCommandSpec().qualifiedName() + ": " + text);
        return exitCode;
    }

    @Override
    public Integer call() throws EscrowException {
        // First, because until then logback writes to stdout.
        log.applyFormat();
        DaemonOptions options = options();
        if (daemonise) {
            if (options.listener() != DaemonOptions.BIND) {
                throw new EscrowException(
                        Status.EINVAL,
                        "--daemonise: only this process can use the socket that systemd has bound; leave out the option");
            }
            DaemonProcess.start(foregroundCommand());
            return CommandLine.ExitCode.OK;
        }
        log.begin();
        try {
            new DaemonRun(options, beginning(), log, args.length).serve();
        } catch (EscrowException | RuntimeException e) {
            log.end(); // What comes next is printed past the queue, behind what is in it.
            throw e;
        }
        return CommandLine.ExitCode.OK;
    }

    private DaemonRun.Beginning beginning() {
        if (takeover) {
            return DaemonRun.Beginning.TAKE_OVER;
        }
        return standby ? DaemonRun.Beginning.STAND_BY : DaemonRun.Beginning.START;
    }

    private DaemonOptions options() throws EscrowException {
        try {
            log.check();
            if (reapInterval < 1) {
                throw new IllegalArgumentException("reap interval: " + reapInterval + " s (expected: >= 1 s)");
            }
            DaemonOptions.Builder builder = DaemonOptions.builder()
                    .force(force)
                    .verbose(verbose)
                    .timeouts(new SessionTimeouts(
                            Duration.ofSeconds(helloTimeout),
                            Duration.ofSeconds(stallTimeout),
                            Duration.ofSeconds(writeTimeout)))
                    .backlog(backlog)
                    .access(access.access())
                    .unclaimed(new UnclaimedOptions(
                            Duration.ofSeconds(unclaimedTimeout),
                            reap ? Duration.ofSeconds(reapInterval) : Duration.ZERO))
                    .operators(new OperatorOptions(ctlConnections, metrics))
                    .standby(standbyLimits.options());
            limits.applyTo(builder);
            int listener = InheritedListener.inherited(InheritedSockets.ofThisProcess());
            boolean named = path != null || System.getenv(SocketPath.ENVIRONMENT) != null;
            boolean inherited = listener != DaemonOptions.BIND;
            DaemonOptions options = builder.listener(listener)
                    .path(inherited && !named ? InheritedListener.path(listener).toString() : path)
                    .build();
            if (inherited) {
                access.checkMode(options.path());
            }
            return options;
        } catch (IllegalArgumentException e) {
            throw new CommandLine.ParameterException(new CommandLine(this), e.getMessage(), e);
        }
    }

    /** Returns the command line of this process, without --daemonise. */
    private List<String> foregroundCommand() {
        ProcessHandle.Info self = ProcessHandle.current().info();
        String[] all =
                self.arguments().orElseThrow(() -> new IllegalStateException("/proc/self/cmdline is not readable"));
        List<String> command = new ArrayList<>();
        command.add(self.command().orElseThrow());
        command.addAll(List.of(all).subList(0, all.length - args.length));
        boolean options = true;
        for (String arg : args) {
            options &= !arg.equals("--");
            if (!options || !(arg.equals("-d") || arg.equals("--daemonise"))) {
                command.add(arg);
            }
        }
        return command;
    }

    /** Reads the version from the manifest of the jar. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"escrowd " + EscrowDaemon.version()};
        }
    }
}
