package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.testing.JarProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The first process is started with its listener, as by a socket unit of systemd; those after it have it from the escrow. */
@Timeout(180)
class InheritedListenerIT {

    /** Listens at two ports, tells the first, and becomes the command with these sockets. */
    private static final List<String> LISTEN_AND_EXEC = List.of("perl", "-e", """
            use Socket; use POSIX ();
            $^F = 20; $| = 1;
            for my $fd (3, 4) {
                socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
                bind($socket, pack_sockaddr_in(0, INADDR_ANY)) or die "bind: $!"; listen($socket, 64) or die "listen: $!";
                push @keep, $socket; push @ports, (sockaddr_in(getsockname($socket)))[0];
            }
            POSIX::dup2(fileno($keep[1]), 10); POSIX::dup2(fileno($keep[0]), 3); POSIX::dup2(10, 4); POSIX::close(10);
            print "port $ports[0]\\n";
            $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 2; $ENV{LISTEN_FDNAMES} = "http:other.socket";
            exec @ARGV or die "exec: $!";
            """);

    @TempDir
    private Path directory;

    @Test
    void firstProcessInheritsAndTheNextOnesAdopt() throws Exception {
        assumeTrue(hasPerl(), "perl is missing: it passes a socket on, which Java can't");
        Path escrow = directory.resolve("s");
        String[] arguments = {"http-server", "--escrow=" + escrow, "--port=0", "--crash-safe"};
        try (JarProcess escrowd = JarProcess.escrowd(escrow);
                JarProcess first = JarProcess.start(LISTEN_AND_EXEC, arguments)) {
            int port = Integer.parseInt(first.nextWith("port ").substring("port ".length()));
            // It waits until the server is there: the socket is.
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
                BufferedReader answers =
                        new BufferedReader(new InputStreamReader(client.getInputStream(), StandardCharsets.UTF_8));
                String one = ask(client, answers);
                assertTrue(first.nextWith("Serving port").startsWith("Serving port " + port + " "));
                assertEquals(1, count(first, "listener http is inherited descriptor 3 \"http\" (TCP listener, "));
                assertEquals(
                        1, count(first, "closed, as no listener needs it: inherited descriptor 4 \"other.socket\""));

                first.terminate();
                assertEquals(0, first.awaitExit());
                try (JarProcess second = JarProcess.start(arguments)) {
                    second.nextWith("Serving port " + port + " ");
                    String two = ask(client, answers);
                    // It may be about to note that everything is answered.
                    second.awaitAsleep();
                    second.kill();
                    try (JarProcess third = JarProcess.start(arguments)) {
                        third.nextWith("1 found after a crash");
                        String three = ask(client, answers);
                        assertEquals(
                                3, List.of(one, two, three).stream().distinct().count());
                    }
                }
            }
            escrowd.terminate();
            escrowd.awaitExit();
        }
    }

    private static long count(JarProcess process, String text) {
        return process.lines().stream().filter(line -> line.contains(text)).count();
    }

    private static String ask(Socket client, BufferedReader answers) throws IOException {
        client.getOutputStream().write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        assertEquals("HTTP/1.1 200 OK", answers.readLine());
        String line = answers.readLine();
        while (!line.isEmpty()) {
            line = answers.readLine();
        }
        return answers.readLine();
    }

    private static boolean hasPerl() throws InterruptedException {
        try {
            return new ProcessBuilder("perl", "-MSocket", "-MPOSIX", "-e", "1")
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            return false;
        }
    }
}
