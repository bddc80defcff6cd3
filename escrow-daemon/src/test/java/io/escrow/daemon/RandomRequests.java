package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.client.EscrowClient;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Makes requests at random, and says what must be answered. */
final class RandomRequests {

    /** How many files there are, to be put into slots. */
    static final int FILES = 40;

    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

    /** A number that no process has open: the limit is lower. */
    private static final FileDescriptor CLOSED = new FileDescriptor(Integer.MAX_VALUE - 1);

    /** Where an answer came from. A request that can't be sent is answered before those that were sent earlier. */
    enum Answered {
        BY_DAEMON,
        HERE,
        NOT_AT_ALL
    }

    /** Waits for an answer and checks it. */
    interface Asked {
        Answered check();
    }

    private final Random random;
    private final Limits limits;
    private final int indices;
    private final int bulk;
    private final StoreModel model;
    private final TestFiles files;
    private final Consumer<String> notes;

    /**
     * Makes requests.
     *
     * @param indices how many indices of each tag are used
     * @param bulk the most slots in a bulk call
     * @param model follows what is asked for
     * @param notes is told what is asked for
     */
    RandomRequests(
            Random random,
            Limits limits,
            int indices,
            int bulk,
            StoreModel model,
            TestFiles files,
            Consumer<String> notes) {
        this.random = random;
        this.limits = limits;
        this.indices = indices;
        this.bulk = bulk;
        this.model = model;
        this.files = files;
        this.notes = notes;
    }

    /** Describes an entry, and closes it. */
    static StoreModel.SlotContent held(Entry entry, Path directory) {
        try (entry) {
            int file = -1;
            if (entry.hasDescriptor()) {
                FileDescriptor taken = entry.takeDescriptor();
                Path target = Files.readSymbolicLink(DESCRIPTORS.resolve(Integer.toString(taken.intValue())));
                taken.close();
                assertTrue(target.startsWith(directory), () -> "not a file of this test: " + target);
                file = Integer.parseInt(target.getFileName().toString().substring(1));
            }
            return StoreModel.SlotContent.of(entry.number(), entry.payload(), entry.farewell(), file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Makes a request, whose answer is to be checked in the end. */
    Asked ask(EscrowClient client) {
        return switch (random.nextInt(12)) {
            case 0, 1, 2 -> add(client);
            case 3 -> update(client);
            case 4, 5 -> get(client);
            case 6, 7 -> delete(client);
            case 8 -> sumUp(client);
            case 9 -> addMany(client);
            case 10 -> getMany(client);
            default -> deleteMany(client);
        };
    }

    private Asked add(EscrowClient client) {
        Deposit deposit = deposit();
        Set<Status> allowed = expectAdd(deposit);
        return asked("add " + describe(deposit), client.add(deposit), allowed, nothing -> {});
    }

    private Asked update(EscrowClient client) {
        SlotKey key = key();
        byte[] payload = bytes(limits.payload());
        byte[] farewell = random.nextBoolean() ? bytes(limits.farewell()) : null;
        Set<Status> allowed = model.update(key, payload, farewell);
        return asked(
                "update " + key + " " + payload.length,
                farewell == null
                        ? client.update(key.tag(), key.index(), payload)
                        : client.update(key.tag(), key.index(), payload, farewell),
                allowed,
                nothing -> {});
    }

    private Asked get(EscrowClient client) {
        SlotKey key = key();
        List<StoreModel.SlotContent> held = new ArrayList<>();
        Set<Status> allowed = model.get(key, held::add);
        CompletableFuture<Entry> got = client.get(key.tag(), key.index());
        if (random.nextInt(10) == 0) {
            // Nobody takes its answer, unless it is here already.
            if (!got.cancel(false)) {
                got.thenAccept(Entry::close);
            }
            notes.accept("get, cancelled " + key);
            return () -> Answered.HERE;
        }
        return asked("get " + key, got, allowed, entry -> {
            assertEquals(key, entry.key());
            assertEquals(held.get(0), held(entry, files.directory()));
        });
    }

    private Asked delete(EscrowClient client) {
        SlotKey key = key();
        Set<Status> allowed = model.delete(key);
        return asked("delete " + key, client.delete(key.tag(), key.index()), allowed, nothing -> {});
    }

    private Asked sumUp(EscrowClient client) {
        int tag = tag();
        Set<Status> allowed = model.tag(tag);
        TagInfo info = model.info(tag);
        return asked("tag " + tag, client.tag(tag), allowed, answer -> assertEquals(info, answer));
    }

    private Asked addMany(EscrowClient client) {
        List<Deposit> deposits = many(this::deposit);
        Bulk expected = new Bulk();
        for (Deposit deposit : deposits) {
            expected.add(deposit.key(), expectAdd(deposit));
        }
        return asked(
                "add many " + deposits.stream().map(RandomRequests::describe).toList(),
                expected,
                client.addAll(deposits.iterator()));
    }

    private Asked getMany(EscrowClient client) {
        List<SlotKey> keys = many(this::key);
        Bulk expected = new Bulk();
        List<StoreModel.SlotContent> held = new ArrayList<>();
        for (SlotKey key : keys) {
            expected.add(key, model.get(key, held::add));
        }
        List<StoreModel.SlotContent> got = new ArrayList<>();
        Asked asked = asked(
                "get many " + keys,
                expected,
                client.getAll(keys.iterator(), entry -> got.add(held(entry, files.directory()))));
        return () -> {
            Answered answered = asked.check();
            assertEquals(answered == Answered.NOT_AT_ALL ? held.subList(0, got.size()) : held, got);
            return answered;
        };
    }

    private Asked deleteMany(EscrowClient client) {
        List<SlotKey> keys = many(this::key);
        Bulk expected = new Bulk();
        for (SlotKey key : keys) {
            expected.add(key, model.delete(key));
        }
        return asked("delete many " + keys, expected, client.deleteAll(keys.iterator()));
    }

    private Set<Status> expectAdd(Deposit deposit) {
        SlotKey key = deposit.key();
        if (CLOSED.equals(deposit.descriptor())) {
            return model.addClosed(key, StoreModel.SlotContent.of(-1, deposit.payload(), deposit.farewell(), -1));
        }
        int file = -1;
        int number = -1;
        if (deposit.descriptor() != null) {
            number = deposit.descriptor().intValue();
            file = IntStream.range(0, FILES)
                    .filter(i -> files.get(i).equals(deposit.descriptor()))
                    .findFirst()
                    .getAsInt();
        }
        return model.add(key, StoreModel.SlotContent.of(number, deposit.payload(), deposit.farewell(), file));
    }

    // Answers

    /** What is expected of a bulk call. */
    private static final class Bulk {
        private final Map<SlotKey, Set<Status>> failures = new HashMap<>();
        private int succeeded;

        void add(SlotKey key, Set<Status> allowed) {
            if (allowed.contains(Status.OK)) {
                succeeded++;
            } else {
                failures.computeIfAbsent(key, k -> EnumSet.noneOf(Status.class)).addAll(allowed);
            }
        }

        void check(BulkResult result) {
            assertEquals(succeeded, result.succeeded(), result::toString);
            assertEquals(failures.keySet(), result.failures().keySet());
            result.failures()
                    .forEach((key, failure) -> assertTrue(
                            failures.get(key).contains(failure.status()),
                            () -> key + ": " + failure + " (expected: " + failures.get(key) + ")"));
        }
    }

    private Asked asked(String what, Bulk expected, CompletableFuture<BulkResult> result) {
        Asked asked = asked(what, result, EnumSet.of(Status.OK), expected::check);
        return () -> {
            Answered answered = asked.check();
            return answered == Answered.BY_DAEMON && result.join().succeeded() == 0 ? Answered.HERE : answered;
        };
    }

    private <T> Asked asked(String what, CompletableFuture<T> answer, Set<Status> allowed, Consumer<T> check) {
        notes.accept(what);
        return () -> {
            Status status = Status.OK;
            try {
                check.accept(answer.join());
            } catch (CompletionException e) {
                if (e.getCause() instanceof EscrowConnectionException) {
                    return Answered.NOT_AT_ALL;
                }
                status = ((EscrowException) e.getCause()).status();
            }
            assertTrue(allowed.contains(status), what + ": " + status + " (expected: " + allowed + ")");
            return status == Status.EINVAL || status == Status.EMSGSIZE ? Answered.HERE : Answered.BY_DAEMON;
        };
    }

    // Arguments

    private <T> List<T> many(Supplier<T> make) {
        List<T> all = new ArrayList<>();
        for (int i = random.nextInt(bulk + 1); i > 0; i--) {
            all.add(make.get());
        }
        return all;
    }

    private int tag() {
        int tags = limits.tags();
        return switch (random.nextInt(40)) {
            case 0 -> tags;
            case 1 -> -1 - random.nextInt(2);
            case 2 -> (1 << 16) + random.nextInt(tags);
            default -> random.nextInt(tags);
        };
    }

    private SlotKey key() {
        int index = switch (random.nextInt(40)) {
            case 0 -> -1;
            case 1 -> Integer.MIN_VALUE;
            case 2 -> Integer.MAX_VALUE;
            default -> random.nextInt(indices);
        };
        return new SlotKey(tag(), index);
    }

    private byte[] bytes(int most) {
        int length = switch (random.nextInt(20)) {
            case 0 -> most + 1;
            case 1 -> most;
            case 2, 3, 4 -> 0;
            default -> random.nextInt(most);
        };
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private Deposit deposit() {
        SlotKey key = key();
        FileDescriptor descriptor = switch (random.nextInt(20)) {
            case 0 -> CLOSED;
            case 1, 2, 3, 4, 5, 6, 7, 8 -> files.get(random.nextInt(FILES));
            default -> null;
        };
        byte[] farewell = random.nextInt(4) == 0 ? bytes(limits.farewell()) : new byte[0];
        return new Deposit(key.tag(), key.index(), descriptor, bytes(limits.payload()), farewell);
    }

    private static String describe(Deposit deposit) {
        return deposit.tag() + "/" + deposit.index() + " " + deposit.descriptor() + " " + deposit.payload().length;
    }
}
