package io.escrow.system;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.Successors;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The system property {@code handover.rounds} says how often the servers are handed over. */
@Timeout(300)
class ChatServerIT {

    private static final int HANDOVERS = Integer.getInteger("handover.rounds", 5);

    @TempDir
    private Path directory;

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    /** A member who says numbers, the next one when everybody has heard this one. */
    private static final class Member implements WebSocket.Listener {
        private final String name;
        private final StringBuilder text = new StringBuilder();
        private final List<String> heard = new CopyOnWriteArrayList<>();
        private volatile String failure;

        Member(String name) {
            this.name = name;
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                heard.add(text.toString());
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int status, String reason) {
            failure = name + " was closed: " + status + " " + reason;
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            failure = name + ": " + error;
        }

        /** Returns what somebody has said, as this member has heard it. */
        List<String> heardFrom(String speaker) {
            String prefix = speaker + ": ";
            return heard.stream()
                    .filter(line -> line.startsWith(prefix))
                    .map(line -> line.substring(prefix.length()))
                    .toList();
        }
    }

    private WebSocket join(Successors server, Member member, String room) {
        WebSocket socket = http.newWebSocketBuilder()
                .buildAsync(server.uri("ws", "/chat"), member)
                .join();
        socket.sendText("/nick " + member.name, true)
                .thenCompose(s -> s.sendText("/join " + room, true))
                .join();
        await().atMost(30, TimeUnit.SECONDS)
                .until(() -> member.heard.contains("* " + member.name + " has joined " + room));
        return socket;
    }

    @ParameterizedTest
    @ValueSource(strings = {"--drain=10", "--crash-safe", "--compress"})
    void theConversationGoesOn(String option) throws Exception {
        try (Successors server = new Successors(directory, "chat-server", option)) {
            List<Member> members = new ArrayList<>();
            List<WebSocket> sockets = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                members.add(new Member("m" + i));
                sockets.add(join(server, members.get(i), i < 4 ? "red" : "blue"));
            }
            int said = 0;
            for (int i = 0; i < HANDOVERS; i++) {
                // Spoken into the handover, and heard before or after it.
                Talk talk = new Talk(sockets, said);
                talk.start();
                String line = i % 2 == 0 ? server.waitThenEnd() : server.endThenStart();
                assertTrue(line.contains(": 6 connections adopted"), line);
                said = talk.end();
                awaitAllHeard(members, said);
            }
            for (Member member : members) {
                for (Member speaker : members) {
                    boolean sameRoom = (members.indexOf(member) < 4) == (members.indexOf(speaker) < 4);
                    assertEquals(sameRoom ? numbers(said) : List.of(), member.heardFrom(speaker.name));
                }
                assertTrue(member.heard.stream().noneMatch(line -> line.contains("has left red")), "nobody has left");
            }
            assertEquals(
                    null,
                    members.stream()
                            .map(m -> m.failure)
                            .filter(f -> f != null)
                            .findAny()
                            .orElse(null));
        }
    }

    private static List<String> numbers(int count) {
        List<String> numbers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            numbers.add(Integer.toString(i));
        }
        return numbers;
    }

    private static void awaitAllHeard(List<Member> members, int said) {
        await().atMost(60, TimeUnit.SECONDS).until(() -> {
            for (Member member : members) {
                assertEquals(null, member.failure);
                if (member.heardFrom(member.name).size() < said) {
                    return false;
                }
            }
            return true;
        });
    }

    /** Has all members say numbers until it is ended. */
    private static final class Talk extends Thread {
        private final List<WebSocket> sockets;
        private volatile boolean ended;
        private int next;

        Talk(List<WebSocket> sockets, int first) {
            this.sockets = sockets;
            this.next = first;
        }

        @Override
        public void run() {
            // A few hundred are enough to have some in flight at any moment.
            int last = next + 300;
            while (!ended && next < last) {
                String number = Integer.toString(next++);
                sockets.forEach(socket -> socket.sendText(number, true).join());
            }
        }

        /** Returns how many have been said. */
        int end() throws InterruptedException {
            ended = true;
            join();
            return next;
        }
    }

    @Test
    void aKilledServerComesBackWithItsRooms() throws Exception {
        try (Successors server = new Successors(directory, "chat-server", "--crash-safe")) {
            Member ann = new Member("ann");
            Member bob = new Member("bob");
            WebSocket annSays = join(server, ann, "red");
            join(server, bob, "red");
            for (int i = 0; i < 3; i++) {
                String number = Integer.toString(i);
                annSays.sendText(number, true).join();
                await().until(() -> bob.heardFrom("ann").contains(number));
                String line = server.killThenStart();
                assertTrue(line.contains("2 found after a crash"), line);
            }
            annSays.sendText("3", true).join();
            await().until(() -> bob.heardFrom("ann").equals(numbers(4)));
            assertEquals(null, ann.failure);
        }
    }

    @Test
    void thereIsAPageToTryIt() throws Exception {
        try (Successors server = new Successors(directory, "chat-server")) {
            String page = http.send(
                            HttpRequest.newBuilder(server.uri("http", "/")).build(), BodyHandlers.ofString())
                    .body();
            assertTrue(page.contains("new WebSocket("), page);
        }
    }
}
