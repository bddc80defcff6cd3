package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.codec.Wire;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Descriptors of every kind come back from the escrow as they went in, and the open files of the process that stored them
 * are as they were, but for the O_NONBLOCK that files and directories ignore.
 */
class DescriptorKindsIT {

    private static final int TAG = 1;
    private static final int O_NONBLOCK = 04000;

    @TempDir
    static Path directory;

    @AutoClose
    private static TestDaemon daemon;

    @BeforeAll
    static void start() throws IOException {
        assumeTrue(Wire.keepsFlags(), "no io_uring");
        daemon = TestDaemon.start(directory);
    }

    /** Files, FIFOs, pipes, devices. */
    @Test
    void openedByShell() throws IOException {
        String script = "cd \"$0\"; mkfifo fifo; echo -n kept >log; echo -n file >file; "
                + "exec 3>>log 4<>file 5<file 6<. 7<>fifo 8</dev/zero 9<>/dev/ptmx 10> >(cat >/dev/null); exec \"$@\"";
        List<String> command = new ArrayList<>(List.of("bash", "-c", script, directory.toString()));
        assertEquals(8, verify(command, List.of("3", "4", "5", "6", "7", "8", "9", "10")));
    }

    /** A terminal, as whoever works at it has it. */
    @Test
    void terminal() throws IOException {
        assumeTrue(run("script", "--version") == 0, "no script(1)");
        List<String> owner = owner(List.of("0", "1", "2"));
        String line = "'" + String.join("' '", owner) + "'";
        assertEquals(3, verifyOwner(List.of("script", "-qec", line, "/dev/null"), 3));
    }

    /** What takes system calls that no shell makes. */
    @Test
    void openedByPython() throws IOException {
        assumeTrue(run("python3", "-c", "import os; os.pidfd_open") == 0, "no python3");
        String script = """
                import os, sys, ctypes, select
                libc = ctypes.CDLL(None)
                path = sys.argv[1] + '/python'
                made = [
                    os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND),
                    os.open(path, os.O_RDONLY | os.O_NOATIME),
                    os.open(path, os.O_PATH),
                    *os.pipe(),
                    *os.pipe2(os.O_NONBLOCK),
                    *os.pipe2(os.O_DIRECT),
                    libc.memfd_create(b'm', 0),
                    libc.eventfd(0, 0),
                    libc.timerfd_create(1, 0),
                    libc.inotify_init(),
                    libc.epoll_create1(0),
                    os.pidfd_open(os.getpid()),
                ]
                for i, number in enumerate(made):
                    os.dup2(number, 100 + i, True)
                os.execvp(sys.argv[2], sys.argv[2:])
                """;
        List<String> numbers = new ArrayList<>();
        for (int i = 0; i < 15; i++) {
            numbers.add(Integer.toString(100 + i));
        }
        List<String> command = new ArrayList<>(List.of("python3", "-c", script, directory.toString()));
        assertEquals(15, verify(command, numbers));
    }

    /** A client that says it can't keep flags is not given what it would change. */
    @Test
    void clientThatWouldChangeFlags() throws IOException {
        String script = "exec 3>>\"$0\"/append; exec \"$@\"";
        List<String> command = new ArrayList<>(List.of("bash", "-c", script, directory.toString()));
        command.addAll(owner(List.of("3")));
        try (TestProcess owner = new TestProcess(new ProcessBuilder(command))) {
            owner.awaitLine("done");
            try (RawClient client = daemon.open()) {
                RawClient.Answer answer =
                        client.ask(RawClient.request(RawClient.GET, TAG, 3)).only();
                assertEquals(Status.EOPNOTSUPP.errno(), answer.errno());
                assertTrue(answer.text().startsWith("slot 1/3 holds a descriptor that this client can't receive"));
            }
        }
    }

    /** A descriptor that the daemon can't receive is lost by itself, and the session goes on. */
    @Test
    void notMarkedByItsSender() throws IOException {
        assumeTrue(run("python3", "-c", "import os; os.O_PATH") == 0, "no python3");
        String script = """
                import os, socket, struct, sys
                s = socket.socket(socket.AF_UNIX)
                s.connect(sys.argv[1])
                def frame(opcode, flags, tag, index, body):
                    return struct.pack('>iBBHi', 8 + len(body), opcode, flags, tag, index) + body
                def ask(descriptors, *frames):
                    frames = b''.join(frames)
                    s.sendall(struct.pack('>II', len(frames), len(descriptors)))
                    for d in descriptors:
                        socket.send_fds(s, [b'x'], [d])
                    s.sendall(frames)
                    length, count = struct.unpack('>II', s.recv(8, socket.MSG_WAITALL))
                    return s.recv(length, socket.MSG_WAITALL)
                ask([], frame(1, 0, 0, 0, struct.pack('>IHH', 0x45534352, 1, 0)))
                adds = [frame(2, 1, 2, i, struct.pack('>ii', 7, 0)) for i in range(2)]
                print(ask([os.open('.', os.O_PATH), os.open('.', os.O_RDONLY)], *adds).hex())
                """;
        try (TestProcess client = new TestProcess(
                new ProcessBuilder("python3", "-c", script, daemon.path().toString()))) {
            assertEquals(0, client.awaitExit(), () -> client.lines().toString());
            String reply = "0580" + "0000" + "00000000";
            String emfile = "ffffffe8";
            assertTrue(client.lines().get(0).matches(".{8}" + reply + emfile + ".*" + reply + "00000000"));
        }
        assertEquals(List.of(1), List.copyOf(daemon.used(2)));
    }

    private static int run(String... command) {
        try (TestProcess process = new TestProcess(new ProcessBuilder(command))) {
            return process.awaitExit();
        } catch (IOException e) {
            return -1;
        }
    }

    private static List<String> owner(List<String> numbers) {
        List<String> command = TestProcess.java(
                "-cp",
                System.getProperty("java.class.path"),
                DescriptorOwner.class.getName(),
                daemon.path().toString(),
                Integer.toString(TAG));
        command.addAll(numbers);
        return command;
    }

    private static int verify(List<String> launcher, List<String> numbers) throws IOException {
        launcher.addAll(owner(numbers));
        return verifyOwner(launcher, numbers.size());
    }

    /** Returns how many descriptors have come back as they were. */
    private static int verifyOwner(List<String> command, int count) throws IOException {
        try (TestProcess owner = new TestProcess(new ProcessBuilder(command))) {
            long pid = Long.parseLong(owner.awaitLine("done ").split(" ", -1)[1].strip());
            List<String> stored = owner.lines().stream()
                    .map(String::strip)
                    .filter(line -> line.endsWith(" stored"))
                    .toList();
            assertEquals(count, stored.size(), () -> owner.lines().toString());
            try (BlockingEscrow escrow = daemon.connect()) {
                for (String line : stored) {
                    verify(escrow, pid, line.split(" ", -1));
                }
            } finally {
                ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
            }
            return stored.size();
        }
    }

    private static void verify(BlockingEscrow escrow, long pid, String[] words) throws IOException {
        int number = Integer.parseInt(words[0]);
        Path sent = Path.of("/proc/" + pid + "/fd/" + number);
        int ignored = Files.isRegularFile(sent) || Files.isDirectory(sent) ? O_NONBLOCK : 0;
        int flags = Integer.parseInt(words[1], 8) | ignored;
        String what = String.join(" ", words);
        assertEquals(flags, DescriptorOwner.flags(pid, number) | ignored, () -> "the owner's, after: " + what);
        try (Entry entry = escrow.get(TAG, number)) {
            FileDescriptor received = entry.takeDescriptor();
            long self = ProcessHandle.current().pid();
            assertEquals(flags, DescriptorOwner.flags(self, received.intValue()) | ignored, what);
            assertEquals(Files.readSymbolicLink(sent).toString(), DescriptorOwner.link(received.intValue()));
            received.close();
        }
        assertEquals(flags, DescriptorOwner.flags(pid, number) | ignored, () -> "the owner's, at last: " + what);
        escrow.delete(TAG, number);
        assertThrows(EscrowException.class, () -> escrow.get(TAG, number));
    }
}
