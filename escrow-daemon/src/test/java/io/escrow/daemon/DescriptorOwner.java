package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Stores descriptors that it was started with, each under its own number as the index, and lives on. Arguments: the
 * socket, the tag, the numbers.
 */
public final class DescriptorOwner {

    private DescriptorOwner() {}

    /** Tells for each descriptor what it was before, and how storing it went; then waits to be killed. */
    public static void main(String[] args) throws IOException, InterruptedException {
        try (BlockingEscrow escrow = EscrowClient.builder()
                .path(args[0])
                .connectBlocking(Duration.ofSeconds(TestProcess.PATIENCE_SECONDS))) {
            int tag = Integer.parseInt(args[1]);
            for (int i = 2; i < args.length; i++) {
                int number = Integer.parseInt(args[i]);
                String before =
                        Integer.toOctalString(flags(ProcessHandle.current().pid(), number)) + " " + link(number);
                System.out.println(number + " " + before + " " + add(escrow, tag, number));
            }
        }
        System.out.println("done " + ProcessHandle.current().pid());
        Thread.currentThread().join();
    }

    private static String add(BlockingEscrow escrow, int tag, int number) {
        try {
            escrow.add(tag, number, new FileDescriptor(number), new byte[0]);
            return "stored";
        } catch (EscrowException e) {
            return e.getMessage();
        }
    }

    /** Returns the flags of an open file as fcntl(2) numbers them, without that of close-on-exec. */
    static int flags(long pid, int number) throws IOException {
        String line = Files.readAllLines(Path.of("/proc/" + pid + "/fdinfo/" + number))
                .get(1);
        return Integer.parseInt(line.split("\\s+", -1)[1], 8) & ~02000000;
    }

    static String link(int number) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + number)).toString();
    }
}
