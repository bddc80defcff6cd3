package io.escrow.daemon;

import static io.escrow.daemon.Script.FILLED;
import static io.escrow.daemon.Script.USED_TAG;
import static io.escrow.daemon.TestFiles.payload;

import io.escrow.SlotKey;
import io.escrow.client.EscrowClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** What a client may ask for: as a {@link Script}, and as a call of the library that says the same. */
@SuppressWarnings("ImmutableEnumChecker") // the functions hold no state
enum Exchange {
    ADD(s -> s.add(10, 10).turn(), (c, f) -> c.add(USED_TAG, 10, f.get(10), payload(10))),
    ADD_PAYLOAD(s -> s.addPayload(10, 10).turn(), (c, f) -> c.add(USED_TAG, 10, payload(10))),
    REPLACE(s -> s.add(0, 10).turn(), (c, f) -> c.add(USED_TAG, 0, f.get(10), payload(10))),
    REPLACE_BY_PAYLOAD(s -> s.addPayload(0, 10).turn(), (c, f) -> c.add(USED_TAG, 0, payload(10))),
    UPDATE(s -> s.update(0, 10).turn(), (c, f) -> c.update(USED_TAG, 0, payload(10))),
    GET(s -> s.get(0).turn(), (c, f) -> c.get(USED_TAG, 0).thenAccept(f::check)),
    DELETE(s -> s.delete(0).turn(), (c, f) -> c.delete(USED_TAG, 0)),
    TAKE(
            s -> s.get(0).turn().delete(0).turn(),
            (c, f) -> c.get(USED_TAG, 0).thenAccept(f::check).thenCompose(taken -> c.delete(USED_TAG, 0))),
    TAG(s -> s.tag().turn(), (c, f) -> c.tag(USED_TAG)),
    LIST(s -> s.list().turn(), (c, f) -> c.list(USED_TAG)),
    ADD_ALL(packets(FILLED, (s, i) -> s.add(i, i)), (c, f) -> c.addAll(f.deposits(USED_TAG, FILLED, 2 * FILLED))),
    GET_ALL(
            script -> {
                script.list().turn();
                packets(0, Script::get).accept(script);
            },
            (c, f) -> c.getAll(USED_TAG, f::check)),
    DELETE_ALL(packets(0, Script::delete), (c, f) -> c.deleteAll(keys())),
    TAKE_ALL(
            script -> {
                script.list().turn();
                packets(0, Script::get).accept(script);
                packets(0, Script::delete).accept(script);
            },
            (c, f) -> c.getAll(USED_TAG, f::check).thenCompose(taken -> c.deleteAll(keys())));

    /** How many requests a packet of a bulk exchange has. */
    private static final int PER_PACKET = 4;

    /** The answer to a greeting after which the packets of the library are those of the script. */
    static final byte[] HELLO = Script.hello(PER_PACKET, PER_PACKET, 1);

    private final Consumer<Script> script;
    private final BiFunction<EscrowClient, TestFiles, CompletableFuture<?>> call;

    Exchange(Consumer<Script> script, BiFunction<EscrowClient, TestFiles, CompletableFuture<?>> call) {
        this.script = script;
        this.call = call;
    }

    /** Returns the whole session, in which a frame answers the greeting. */
    Script script(byte[] hello) {
        Script session = new Script(hello);
        script.accept(session);
        return session;
    }

    CompletableFuture<?> call(EscrowClient client, TestFiles files) {
        return call.apply(client, files);
    }

    @FunctionalInterface
    private interface OneRequest {
        void add(Script script, int index);
    }

    private static Consumer<Script> packets(int from, OneRequest request) {
        return script -> {
            for (int i = 0; i < FILLED; i++) {
                request.add(script, from + i);
                if (i % PER_PACKET == PER_PACKET - 1 || i == FILLED - 1) {
                    script.turn();
                }
            }
        };
    }

    private static Iterator<SlotKey> keys() {
        return IntStream.range(0, FILLED)
                .mapToObj(i -> new SlotKey(USED_TAG, i))
                .iterator();
    }

    /**
     * A moment in an exchange.
     *
     * @param message the message that is under way, counted from the greeting
     * @param cut how much of it was sent, or read
     */
    record Moment(Exchange exchange, int message, Cut cut) {

        boolean inRequest() {
            return message % 2 == 0;
        }

        boolean inGreeting() {
            return message < 2;
        }

        /** Returns what the slots hold when everything was carried out that was sent whole before this moment. */
        Map<Integer, Script.SlotContent> slots() {
            return exchange.script(HELLO).slots(isEnd() ? message + 1 : message);
        }

        /** Plays the client up to this moment. */
        void play(RawClient client, byte[] hello, TestFiles files) throws IOException {
            List<Message> messages = exchange.script(hello).messages();
            for (int m = 0; m <= message; m++) {
                Cut part = m < message ? Cut.BEHIND : cut;
                if (messages.get(m).fromClient()) {
                    client.send(messages.get(m), part, files);
                } else {
                    client.receive(messages.get(m), part, files);
                }
            }
        }

        /** Plays the client up to this moment, and reads no answer. */
        void playRequests(RawClient client, byte[] hello, TestFiles files) throws IOException {
            List<Message> messages = exchange.script(hello).messages();
            for (int m = 0; m <= message; m += 2) {
                client.send(messages.get(m), m < message ? Cut.BEHIND : cut, files);
            }
        }

        /** Tells whether the daemon can't go on when the client says nothing more: inside a packet, and before it greets. */
        boolean keepsOthersWaiting() {
            return inRequest() && (cut != Cut.BEFORE || inGreeting());
        }

        /** Tells whether the exchange is over. */
        boolean isEnd() {
            return cut == Cut.BEHIND;
        }

        @Override
        public String toString() {
            String of = message < 2 ? "greeting" : "packet " + message / 2;
            return exchange + ", " + cut + (inRequest() ? " of " : " of the answer to ") + of;
        }
    }

    /** Returns every moment: what is behind one message is before the next, and not returned twice. */
    List<Moment> moments() {
        List<Moment> moments = new ArrayList<>();
        List<Message> messages = script(HELLO).messages();
        for (int m = 0; m < messages.size(); m++) {
            for (Cut cut : Cut.values()) {
                if (cut.isIn(messages.get(m)) && (cut != Cut.BEHIND || m == messages.size() - 1)) {
                    moments.add(new Moment(this, m, cut));
                }
            }
        }
        return moments;
    }
}
