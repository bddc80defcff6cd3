package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Entry;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** The side without permission: takes an open file out of the escrow, and reads it. */
@Command(name = "use", description = "Takes what \"park\" has put into an escrow, and prints what can be read from it.")
final class RestrictedUse implements Callable<Integer> {

    static final String NOT_ALLOWED = "Not allowed to open ";
    static final String CONTENT = "Read from its descriptor:";

    @Parameters(paramLabel = "PATH", description = "path of the escrow's socket")
    private String path;

    @Override
    public Integer call() throws IOException {
        try (BlockingEscrow escrow = EscrowClient.builder().path(path).connectBlocking(RestrictedPark.TIMEOUT);
                Entry entry = escrow.get(RestrictedPark.TAG, RestrictedPark.INDEX)) {
            tryToOpen(Path.of(new String(entry.payload(), UTF_8)));
            FileDescriptor descriptor = entry.takeDescriptor();
            try {
                System.out.println(CONTENT);
                print(descriptor);
            } catch (ClosedChannelException e) {
                throw new IOException(
                        "the parked descriptor is not open for reading", e); // Netty's exception for EBADF
            } finally {
                descriptor.close();
            }
            // All duplicates of a descriptor share one position, so nobody else can read the file again.
            escrow.delete(RestrictedPark.TAG, RestrictedPark.INDEX);
        }
        return 0;
    }

    private static void tryToOpen(Path file) throws IOException {
        if (Files.exists(file)) {
            try (InputStream opened = Files.newInputStream(file)) {
                System.out.println("Allowed to open " + file + ", too (" + opened.available() + " bytes)");
            } catch (AccessDeniedException e) {
                System.out.println(NOT_ALLOWED + file);
            }
        }
    }

    private static void print(FileDescriptor descriptor) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(8 * 1024);
        int length;
        while ((length = descriptor.read(buffer, 0, buffer.capacity())) >= 0) {
            byte[] bytes = new byte[length];
            buffer.get(0, bytes);
            System.out.write(bytes);
        }
        System.out.flush();
    }
}
