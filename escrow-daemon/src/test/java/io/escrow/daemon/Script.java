package io.escrow.daemon;

import static io.escrow.daemon.RawClient.ADD;
import static io.escrow.daemon.RawClient.DEL;
import static io.escrow.daemon.RawClient.DESCRIPTOR;
import static io.escrow.daemon.RawClient.GET;
import static io.escrow.daemon.RawClient.HEL;
import static io.escrow.daemon.RawClient.INF;
import static io.escrow.daemon.RawClient.LST;
import static io.escrow.daemon.RawClient.MAGIC;
import static io.escrow.daemon.RawClient.REP;
import static io.escrow.daemon.RawClient.REPLY;
import static io.escrow.daemon.RawClient.TAG;
import static io.escrow.daemon.RawClient.UPD;
import static io.escrow.daemon.RawClient.frame;
import static io.escrow.daemon.RawClient.ints;
import static io.escrow.daemon.RawClient.join;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A whole session as it should be on the wire, message by message, and what is in the slots behind each of them. */
final class Script {

    static final int USED_TAG = 1;
    /** The slots that are filled when a session begins, each with the file and the payload of its index. */
    static final int FILLED = 10;

    private static final byte[] OK = frame(REP, REPLY, 0, 0, ints(0));

    private final List<Message> messages = new ArrayList<>();
    private final List<Map<Integer, SlotContent>> states = new ArrayList<>();
    private final TreeMap<Integer, SlotContent> slots = new TreeMap<>();

    private final List<byte[]> requests = new ArrayList<>();
    private final List<Integer> brought = new ArrayList<>();
    private final List<byte[]> answers = new ArrayList<>();
    private final List<Integer> fetched = new ArrayList<>();

    /**
     * What a slot holds.
     *
     * @param file the index of the file whose descriptor it is, or -1
     * @param payload the index whose {@link TestFiles#payload} it is
     */
    record SlotContent(int file, int payload) {}

    /**
     * Begins a session.
     *
     * @param hello the frame that answers the greeting
     */
    Script(byte[] hello) {
        for (int i = 0; i < FILLED; i++) {
            slots.put(i, new SlotContent(i, i));
        }
        states.add(Map.copyOf(slots));
        requests.add(RawClient.HELLO);
        answers.add(hello);
        turn();
    }

    /** Greets, and returns the frame that answers. */
    static byte[] greet(RawClient client) throws IOException {
        client.packet(RawClient.HELLO);
        return frame(HEL, REPLY, 0, 0, client.receive().only().body().array());
    }

    /** Fills the slots that are filled when a session begins. */
    static void fill(RawClient client, TestFiles files) throws IOException {
        List<FileDescriptor> brought = new ArrayList<>();
        List<byte[]> frames = new ArrayList<>();
        for (int i = 0; i < FILLED; i++) {
            brought.add(files.get(i));
            frames.add(RawClient.addWithDescriptor(USED_TAG, i, TestFiles.payload(i)));
        }
        client.packet(brought, frames.toArray(byte[][]::new));
        for (RawClient.Answer answer : client.receive().answers()) {
            assertEquals(0, answer.errno());
        }
    }

    /** Returns what the slots hold, as a client sees it. */
    static Map<Integer, SlotContent> find(EscrowClient client, TestFiles files) throws Exception {
        Map<Integer, SlotContent> found = new TreeMap<>();
        client.getAll(USED_TAG, entry -> {
                    int payload = Integer.parseInt(new String(entry.payload(), US_ASCII));
                    found.put(entry.index(), new SlotContent(files.fileOf(entry), payload));
                })
                .get(TestProcess.PATIENCE_SECONDS, SECONDS)
                .orThrow();
        return found;
    }

    /** Returns the answer to a greeting that tells these limits. */
    static byte[] hello(int packetDescriptors, int packetFrames, int packetsInFlight) {
        int[] limits = {32, 32 * 1024, 1024 * 1024, packetDescriptors, packetFrames, packetsInFlight};
        return frame(HEL, REPLY, 0, 0, join(ints(MAGIC, 1 << 16), ints(limits)));
    }

    List<Message> messages() {
        return messages;
    }

    /** Returns what the slots hold when so many messages were sent whole. */
    Map<Integer, SlotContent> slots(int sent) {
        return states.get(sent);
    }

    /** Ends a packet, and the one that answers it. */
    Script turn() {
        messages.add(new Message(true, List.copyOf(brought), List.copyOf(requests)));
        states.add(Map.copyOf(slots));
        messages.add(new Message(false, List.copyOf(fetched), List.copyOf(answers)));
        states.add(Map.copyOf(slots));
        requests.clear();
        brought.clear();
        answers.clear();
        fetched.clear();
        return this;
    }

    // Requests, each with its answer

    /** Fills a slot with a file and the payload of that file. */
    Script add(int index, int file) {
        requests.add(RawClient.addWithDescriptor(USED_TAG, index, TestFiles.payload(file)));
        brought.add(file);
        slots.put(index, new SlotContent(file, file));
        answers.add(OK);
        return this;
    }

    /** Fills a slot with a payload only. */
    Script addPayload(int index, int payload) {
        requests.add(RawClient.add(USED_TAG, index, TestFiles.payload(payload)));
        slots.put(index, new SlotContent(-1, payload));
        answers.add(OK);
        return this;
    }

    Script update(int index, int payload) {
        byte[] bytes = TestFiles.payload(payload);
        requests.add(frame(UPD, 0, USED_TAG, index, join(ints(bytes.length), bytes)));
        slots.computeIfPresent(index, (i, old) -> new SlotContent(old.file(), payload));
        answers.add(OK);
        return this;
    }

    Script get(int index) {
        requests.add(RawClient.request(GET, USED_TAG, index));
        SlotContent held = slots.get(index);
        byte[] payload = TestFiles.payload(held.payload());
        byte[] body = join(ints(RawClient.NUMBER, payload.length), payload);
        answers.add(frame(ADD, REPLY | DESCRIPTOR, USED_TAG, index, body));
        fetched.add(held.file());
        return this;
    }

    Script delete(int index) {
        requests.add(RawClient.request(DEL, USED_TAG, index));
        slots.remove(index);
        answers.add(OK);
        return this;
    }

    Script tag() {
        requests.add(RawClient.request(TAG, USED_TAG, 0));
        int bytes = slots.values().stream()
                .mapToInt(held -> TestFiles.payload(held.payload()).length)
                .sum();
        answers.add(frame(INF, REPLY, USED_TAG, 0, ints(slots.size(), 0, 0, slots.lastKey() + 1, 0, bytes)));
        return this;
    }

    Script list() {
        requests.add(frame(LST, 0, USED_TAG, 0, ints(1024)));
        byte[] page = ints(-1, slots.size());
        for (Map.Entry<Integer, SlotContent> slot : slots.entrySet()) {
            int length = TestFiles.payload(slot.getValue().payload()).length;
            page = join(page, ints(slot.getKey(), length, slot.getValue().file() < 0 ? 0 : 1));
        }
        answers.add(frame(LST, REPLY, USED_TAG, 0, page));
        return this;
    }
}
