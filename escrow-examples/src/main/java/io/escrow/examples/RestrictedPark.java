package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** The privileged side: puts an open file into the escrow. */
@Command(name = "park", description = "Puts its standard input into an escrow, from which \"use\" takes it.")
final class RestrictedPark implements Callable<Integer> {

    /** How the line begins that this command prints when it is done. */
    static final String PARKED = "Parked ";

    static final int TAG = 0;
    static final int INDEX = 0;
    static final Duration TIMEOUT = Duration.ofSeconds(30);

    private static final int STDIN = 0;

    @Parameters(paramLabel = "PATH", description = "path of the escrow's socket")
    private String path;

    @Override
    public Integer call() throws IOException {
        // The name of a file, a pipe, a terminal, or a socket.
        String what = Files.readSymbolicLink(Path.of("/proc/self/fd/" + STDIN)).toString();
        try (BlockingEscrow escrow = EscrowClient.builder().path(path).connectBlocking(TIMEOUT)) {
            escrow.add(TAG, INDEX, new FileDescriptor(STDIN), what.getBytes(UTF_8));
        }
        System.out.println(PARKED + what);
        return 0;
    }
}
