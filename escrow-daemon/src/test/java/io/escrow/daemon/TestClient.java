package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A client in a process of its own, which is there to be killed: {@code OPERATION PATH DIRECTORY NUMBER...}. It tells on
 * stdout how far it is, and ends when its stdin does.
 */
final class TestClient {

    // Not of TestDaemon: this program also runs where nothing but the classes of its package are.
    private static final Duration TIMEOUT = Duration.ofSeconds(TestProcess.PATIENCE_SECONDS);

    private final Path path;
    private final Path directory;
    private final int[] numbers;
    private final BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, UTF_8));

    private TestClient(Path path, Path directory, int[] numbers) {
        this.path = path;
        this.directory = directory;
        this.numbers = numbers;
    }

    /** Starts one. */
    static TestProcess start(String operation, Path path, TestFiles files, Integer... numbers) throws IOException {
        return new TestProcess(
                new ProcessBuilder(command(program(TestClient.class), operation, path, files.directory(), numbers)));
    }

    /** Returns the command that starts a program of the tests. */
    static List<String> program(Class<?> main, Object... arguments) {
        List<String> command = TestProcess.java(TestDaemon.ARCHIVE);
        command.addAll(List.of("-cp", TestDaemon.JAR + ":" + testClasses(), main.getName()));
        Stream.of(arguments).map(Object::toString).forEach(command::add);
        return command;
    }

    static List<String> command(String classPath, String operation, Path path, Path directory, Integer... numbers) {
        List<String> start = TestProcess.java("-cp", classPath, TestClient.class.getName());
        return command(start, operation, path, directory, numbers);
    }

    /** Returns what the jar of the daemon does not have: the classes of the tests, and what they use. */
    private static String testClasses() {
        return Stream.of(System.getProperty("java.class.path").split(":"))
                .filter(entry ->
                        Files.isDirectory(Path.of(entry)) || entry.matches(".*(-tests.jar|/org/(junit|opentest4j)/.*)"))
                .collect(Collectors.joining(":"));
    }

    private static List<String> command(
            List<String> start, String operation, Path path, Path directory, Integer... numbers) {
        List<String> command = new ArrayList<>(start);
        command.add(operation);
        command.add(path.toString());
        command.add(directory.toString());
        for (Integer number : numbers) {
            command.add(number.toString());
        }
        return command;
    }

    public static void main(String[] args) throws Exception {
        int[] numbers = IntStream.range(3, args.length)
                .map(i -> Integer.parseInt(args[i]))
                .toArray();
        TestClient client = new TestClient(Path.of(args[1]), Path.of(args[2]), numbers);
        switch (args[0]) {
            case "raw" -> client.raw();
            case "add", "get", "delete" -> client.bulk(args[0]);
            case "fault" -> client.fault();
            case "store" -> client.store();
            case "churn" -> client.churn();
            case "hold" -> client.hold(client.builder());
            case "create" -> client.hold(client.builder().launch(DaemonLaunch.onDemand()));
            case "force" ->
                client.hold(client.builder().launch(DaemonLaunch.onDemand().replaceDeadSocket(true)));
            default -> throw new IllegalArgumentException(args[0]);
        }
        while (client.orders.readLine() != null) {
            // Lives on.
        }
    }

    private static void tell(String line) {
        System.out.println(line);
    }

    private EscrowClientBuilder builder() {
        return EscrowClient.builder()
                .path(path.toString())
                .connectTimeout(TIMEOUT)
                .onWaiting(waiting -> tell(waiting.toString()));
    }

    private BlockingEscrow connect() throws IOException {
        return builder().connectBlocking(TIMEOUT);
    }

    /** Greets, and at a word sends whole packets and the beginning of one more, reading no answer. */
    private void raw() throws IOException {
        int tag = numbers[0];
        int packets = numbers[1];
        int perPacket = numbers[2];
        int incomplete = numbers[3];
        TestFiles files = new TestFiles(directory, packets * perPacket + incomplete);
        RawClient client = RawClient.open(path);
        tell("greeted");
        orders.readLine();
        for (int packet = 0; packet < packets; packet++) {
            List<FileDescriptor> descriptors = new ArrayList<>();
            List<byte[]> frames = new ArrayList<>();
            for (int i = packet * perPacket; i < (packet + 1) * perPacket; i++) {
                descriptors.add(files.get(i));
                frames.add(RawClient.addWithDescriptor(tag, i, TestFiles.payload(i)));
            }
            client.packet(descriptors, frames.toArray(byte[][]::new));
        }
        if (incomplete > 0) {
            client.bytes(RawClient.prelude(1000, incomplete + 1));
            for (int i = packets * perPacket; i < packets * perPacket + incomplete; i++) {
                client.descriptor(files.get(i));
            }
        }
        tell("sent");
    }

    /** Plays an exchange, {@code EXCHANGE MESSAGE CUT HELLO}, up to a moment. */
    private void fault() throws IOException {
        TestFiles files = new TestFiles(directory, numbers[0]);
        String[] order = orders.readLine().split(" ", -1);
        Exchange.Moment moment =
                new Exchange.Moment(Exchange.valueOf(order[0]), Integer.parseInt(order[1]), Cut.valueOf(order[2]));
        byte[] hello = HexFormat.of().parseHex(order[3]);
        RawClient client = RawClient.connect(path);
        moment.play(client, hello, files);
        tell("there");
    }

    /** Asks for many slots, and stops on the event loop, for ever, at one of them. */
    private void bulk(String operation) throws IOException {
        int tag = numbers[0];
        int count = numbers[1];
        TestFiles files = new TestFiles(directory, operation.equals("add") ? count : 0);
        IntConsumer stop = i -> {
            if (i == numbers[2]) {
                tell("at " + i);
                park();
            }
        };
        BlockingEscrow escrow = connect();
        switch (operation) {
            case "add" -> escrow.addAll(deposits(files, tag, count, stop));
            case "get" ->
                escrow.getAll(tag, entry -> {
                    entry.close();
                    stop.accept(entry.index());
                });
            default ->
                escrow.deleteAll(IntStream.range(0, count)
                        .peek(stop)
                        .mapToObj(i -> new SlotKey(tag, i))
                        .iterator());
        }
        throw new IllegalStateException("not stopped");
    }

    private static Iterator<Deposit> deposits(TestFiles files, int tag, int count, IntConsumer stop) {
        return IntStream.range(0, count)
                .peek(stop)
                .mapToObj(i -> files.deposit(tag, i))
                .iterator();
    }

    private static void park() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Stores many slots and tells how many descriptors that took on this side. */
    private void store() throws IOException {
        int tag = numbers[0];
        int count = numbers[1];
        TestFiles files = new TestFiles(directory, count);
        BlockingEscrow escrow = connect();
        escrow.tag(tag);
        long before = TestProcess.descriptors(ProcessHandle.current().pid());
        int stored = escrow.addAll(files.deposits(tag, 0, count)).orThrow().succeeded();
        long after = TestProcess.descriptors(ProcessHandle.current().pid());
        tell("stored " + stored + ", opened " + (after - before));
    }

    /** Fills slots, fetches and empties them, again and again. */
    private void churn() throws IOException {
        int tag = numbers[0];
        int count = numbers[1];
        TestFiles files = new TestFiles(directory, count);
        BlockingEscrow escrow = connect();
        for (int round = 0; ; round++) {
            tell("round " + round);
            escrow.addAll(files.deposits(tag, 0, count)).orThrow();
            escrow.getAll(tag, entry -> entry.close()).orThrow();
            escrow.deleteAll(IntStream.range(0, count)
                            .mapToObj(i -> new SlotKey(tag, i))
                            .iterator())
                    .orThrow();
        }
    }

    /** Stores its process number, and keeps the session until it is told to end; may be told before to ask something. */
    private void hold(EscrowClientBuilder builder) throws IOException {
        try (BlockingEscrow escrow = builder.connectBlocking(TIMEOUT)) {
            byte[] pid = Long.toString(ProcessHandle.current().pid()).getBytes(UTF_8);
            escrow.add(numbers[0], numbers[1], pid);
            tell("holding");
            while ("ask".equals(orders.readLine())) {
                tell(answer(escrow));
            }
        }
        tell("ended");
    }

    private String answer(BlockingEscrow escrow) {
        try {
            return "used slots: " + escrow.tag(numbers[0]).used();
        } catch (EscrowException e) {
            return e.text();
        }
    }
}
