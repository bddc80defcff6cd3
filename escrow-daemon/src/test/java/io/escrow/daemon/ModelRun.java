package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.client.EscrowClient;
import io.escrow.daemon.RandomRequests.Answered;
import io.escrow.daemon.RandomRequests.Asked;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.StoreLimits;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;

/** Does at random whatever clients can do to a daemon, and compares each answer with a {@link StoreModel}. */
final class ModelRun implements AutoCloseable {

    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final int REMEMBERED = 30;
    private static final int LONGEST_NOTE = 300;
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

    private final Random random;
    private final DaemonOptions options;
    private final StoreModel model;
    private final TestFiles files;
    private final RandomRequests requests;
    private final Deque<String> done = new ArrayDeque<>();

    private EscrowDaemon daemon;
    private EscrowClient client;

    /**
     * Starts a daemon.
     *
     * @param indices how many indices of each tag are used
     * @param bulk the most slots in a bulk call
     */
    ModelRun(Path directory, long seed, Limits limits, StoreLimits storeLimits, int indices, int bulk)
            throws IOException {
        this.random = new Random(seed);
        this.options = DaemonOptions.builder()
                .path(directory.resolve("s").toString())
                .tags(limits.tags())
                .maxPayload(limits.payload())
                .packetBytes(limits.packetBytes())
                .packetDescriptors(limits.packetDescriptors())
                .packetRequests(limits.packetFrames())
                .packetsInFlight(limits.packetsInFlight())
                .maxFarewell(limits.farewell())
                .maxSlots(storeLimits.slots())
                .maxBytes(storeLimits.payloadBytes())
                .maxDescriptors(storeLimits.descriptors())
                .build();
        this.model = new StoreModel(limits, storeLimits);
        this.files = new TestFiles(directory.resolve("files"), RandomRequests.FILES);
        this.requests = new RandomRequests(random, limits, indices, bulk, model, files, this::note);
        this.daemon = EscrowDaemon.start(options);
        this.client = connect().join();
    }

    private CompletableFuture<EscrowClient> connect() {
        return EscrowClient.builder()
                .path(options.path().toString())
                .connectTimeout(TIMEOUT)
                .connect();
    }

    /** Returns what was done last, for the message of a failure. */
    String done() {
        return String.join("\n", done);
    }

    private void note(String what) {
        done.add(what.length() <= LONGEST_NOTE ? what : what.substring(0, LONGEST_NOTE) + "...");
        if (done.size() > REMEMBERED) {
            done.remove();
        }
    }

    void step() throws EscrowException {
        int what = random.nextInt(100);
        if (what < 85) {
            askAll().forEach(asked -> assertNotEquals(Answered.NOT_AT_ALL, asked.check()));
        } else if (what < 90) {
            changeClient();
        } else if (what < 93) {
            loseClient();
        } else if (what < 94) {
            restartDaemon();
        } else {
            checkAll();
        }
    }

    // Connections

    private void changeClient() {
        note("the next client waits for the one before");
        CompletableFuture<EscrowClient> next = connect();
        client.close();
        client = next.join();
    }

    /** Leaves requests behind: any number of their changes is carried out, from the first one on. */
    private void loseClient() {
        note("the client closes while its requests are under way");
        StoreModel possible = model.copy();
        model.takeChanges();
        List<Asked> asked = new ArrayList<>();
        List<Integer> changesUpTo = new ArrayList<>();
        for (int i = random.nextInt(8); i >= 0; i--) {
            asked.add(requests.ask(client));
            changesUpTo.add(model.changes());
        }
        client.close();
        int least = 0;
        for (int i = 0; i < asked.size(); i++) {
            if (asked.get(i).check() == Answered.BY_DAEMON) {
                least = changesUpTo.get(i);
            }
        }
        client = connect().join();
        StoreModel found = read();
        List<StoreModel.Change> changes = model.takeChanges();
        for (int done = 0; done < least || !possible.isSame(found); done++) {
            assertTrue(
                    done < changes.size(),
                    () -> "found " + found + " (expected: " + model + ", or what was before some of " + changes + ")");
            possible.set(changes.get(done).key(), changes.get(done).held());
        }
        model.become(found);
    }

    private void restartDaemon() throws EscrowException {
        note("the daemon is started again");
        List<Asked> asked = random.nextBoolean() ? askAll() : List.of();
        daemon.close();
        asked.forEach(Asked::check);
        client.closed().toCompletableFuture().join();
        client.close();
        model.clear();
        daemon = EscrowDaemon.start(options);
        client = connect().join();
    }

    private List<Asked> askAll() {
        List<Asked> asked = new ArrayList<>();
        for (int i = random.nextInt(12); i >= 0; i--) {
            asked.add(requests.ask(client));
        }
        return asked;
    }

    // State

    /** Compares everything that is there, and counts descriptors. */
    void checkAll() {
        note("everything is looked at");
        StoreModel found = read();
        assertTrue(found.isSame(model), () -> "found " + found + " (expected: " + model + ")");
        await().atMost(TIMEOUT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .untilAsserted(() -> assertEquals(
                        RandomRequests.FILES + model.descriptors(), openFiles(), "open descriptors of files"));
    }

    private StoreModel read() {
        StoreModel found = new StoreModel(options.limits(), options.storeLimits());
        for (int tag = 0; tag < client.tags(); tag++) {
            List<SlotKey> slots = new ArrayList<>();
            BulkResult result = client.getAll(tag, entry -> {
                        SlotKey key = entry.key();
                        slots.add(key);
                        found.set(key, RandomRequests.held(entry, files.directory()));
                    })
                    .join();
            assertEquals(Map.of(), result.failures());
            assertEquals(result.succeeded(), slots.size());
            assertEquals(found.info(tag), client.tag(tag).join());
            List<SlotInfo> listed = client.list(tag).join();
            assertEquals(found.list(tag), listed);
            assertEquals(listed.stream().map(SlotInfo::key).toList(), slots);
        }
        return found;
    }

    private long openFiles() throws IOException {
        long open = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(DESCRIPTORS)) {
            for (Path descriptor : all) {
                open += target(descriptor).startsWith(files.directory()) ? 1 : 0;
            }
        }
        return open;
    }

    private static Path target(Path descriptor) throws IOException {
        try {
            return Files.readSymbolicLink(descriptor);
        } catch (NoSuchFileException e) {
            return descriptor; // closed meanwhile
        }
    }

    @Override
    public void close() {
        client.close();
        daemon.close();
        files.close();
    }
}
