package io.escrow.daemon;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Does what systemd does with a socket unit: binds the socket, and keeps it while daemons come and go (sd_listen_fds(3)). */
final class SocketActivation extends TestProcess {

    /** Starts its command at each line of stdin; the socket blocks, as one of systemd does. */
    private static final String SCRIPT = """
            use Socket; use POSIX ();
            my ($path, @command) = @ARGV;
            $^F = 20; $| = 1;
            socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
            umask 0177; bind($socket, pack_sockaddr_un($path)) or die "bind: $!"; listen($socket, 64) or die "listen: $!";
            print "bound\\n";
            while (<STDIN>) {
                my $pid = fork;
                if ($pid == 0) {
                    POSIX::dup2(fileno($socket), 3);
                    $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; $ENV{LISTEN_FDNAMES} = "escrow.socket";
                    delete $ENV{ESCROW_PATH};
                    exec @command or POSIX::_exit(127);
                }
                print "started $. $pid\\n"; waitpid $pid, 0; print "ended $. $?\\n";
            }
            """;

    private int started;
    private ProcessHandle daemon;

    private SocketActivation(List<String> command) throws IOException {
        super(new ProcessBuilder(command));
    }

    /** Binds a socket, for daemons with such arguments. */
    static SocketActivation bind(Path path, String... arguments) throws IOException {
        assumeTrue(hasPerl(), "perl is missing: it passes a socket on, which Java can't");
        List<String> command = new ArrayList<>(List.of("perl", "-e", SCRIPT, path.toString()));
        command.addAll(TestDaemon.command(arguments));
        SocketActivation socket = new SocketActivation(command);
        socket.awaitLine("bound");
        return socket;
    }

    private static boolean hasPerl() {
        try (TestProcess perl = new TestProcess(new ProcessBuilder("perl", "-MSocket", "-MPOSIX", "-e", "1"))) {
            return perl.awaitExit() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** Starts a daemon when the one before has ended. Does not wait until it listens: its socket does. */
    ProcessHandle start() throws IOException {
        started++;
        say("start");
        String line = awaitLine("started " + started + " ");
        daemon = ProcessHandle.of(Long.parseLong(line.substring(line.lastIndexOf(' ') + 1)))
                .orElseThrow(() -> new AssertionError("it has ended already: " + lines()));
        return daemon;
    }

    /** Waits for the end of the daemon, and returns its status as wait(2) has it. */
    int awaitEnd() {
        String line = awaitLine("ended " + started + " ");
        return Integer.parseInt(line.substring(line.lastIndexOf(' ') + 1));
    }

    @Override
    public void close() throws IOException {
        if (daemon != null) {
            daemon.destroyForcibly();
            try {
                daemon.onExit().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException | ExecutionException | TimeoutException e) {
                throw new AssertionError(e);
            }
        }
        super.close();
    }
}
