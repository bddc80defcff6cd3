package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowConnectionException;
import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.testing.PublicFutures;
import io.escrow.testing.TestFile;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Lets every future that the client's package gives out fail in every way, and cancels it. */
class ClientFuturesTest {

    private static final Frame OK = new Frame.Reply(Status.OK, "");
    private static final String CLOSED = "EscrowClient.closed";
    private static final String CONNECT = "EscrowClientBuilder.connect";
    private static final String AWAIT_TURN = "EscrowClientBuilder.awaitTurn";

    private final EmbeddedChannel channel = new EmbeddedChannel();
    private final EscrowClient client = EmbeddedClient.on(channel, Limits.DEFAULT);

    @TempDir
    Path directory;

    private TestFile file;
    private FileDescriptor own;

    @BeforeEach
    void open() throws IOException {
        file = new TestFile(directory, "a");
        own = file.open();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        channel.releaseOutbound();
        assertFalse(channel.finish());
        own.close();
        assertEquals(0, file.openCount());
    }

    /** Every future of the package but the three that are no requests, and have tests of their own. */
    static Stream<Method> requests() {
        return PublicFutures.ofPackageOf(EscrowClient.class).stream()
                .filter(method -> !Set.of(CLOSED, CONNECT, AWAIT_TURN).contains(nameOf(method)));
    }

    @Test
    void allFuturesButThreeAreRequestsOfTheClient() {
        Set<String> others = PublicFutures.ofPackageOf(EscrowClient.class).stream()
                .filter(method -> method.getDeclaringClass() != EscrowClient.class
                        || method.getReturnType() != CompletableFuture.class)
                .map(ClientFuturesTest::nameOf)
                .collect(Collectors.toSet());

        assertEquals(Set.of(CLOSED, CONNECT, AWAIT_TURN), others);
        assertTrue(requests().count() >= 13, "requests are found");
    }

    @ParameterizedTest
    @MethodSource("requests")
    void failsWhenTheConnectionWasLostBefore(Method request) {
        channel.close();
        CompletableFuture<?> future = ask(request);
        turn();

        assertFalse(assertInstanceOf(EscrowConnectionException.class, PublicFutures.failureOf(future))
                .maybeCarriedOut());
    }

    @ParameterizedTest
    @MethodSource("requests")
    void failsWhenTheConnectionIsLostBeforeTheAnswer(Method request) {
        CompletableFuture<?> future = ask(request);
        turn();
        channel.close();

        assertTrue(assertInstanceOf(EscrowConnectionException.class, PublicFutures.failureOf(future))
                .maybeCarriedOut());
    }

    @ParameterizedTest
    @MethodSource("requests")
    void failsWhenTheDaemonRefuses(Method request) {
        CompletableFuture<?> future = ask(request);
        answerAll(frame -> new Frame.Reply(Status.ENOSPC, "full"));

        if (future.isCompletedExceptionally()) {
            assertEquals("ENOSPC: full", PublicFutures.failureOf(future).getMessage());
        } else {
            BulkResult result = assertInstanceOf(BulkResult.class, future.join());
            assertEquals(0, result.succeeded());
            assertEquals(
                    "ENOSPC: full", result.failures().get(new SlotKey(1, 1)).getMessage());
        }
    }

    @ParameterizedTest
    @MethodSource("requests")
    void sendsNothingWhenCancelledBefore(Method request) {
        CompletableFuture<?> future = ask(request);
        future.cancel(false);
        turn();

        PublicFutures.assertCancelled(future);
        assertNull(channel.readOutbound());
        assertServing();
    }

    @ParameterizedTest
    @MethodSource("requests")
    void dropsTheAnswerWhenCancelledAfterItWasSent(Method request) {
        CompletableFuture<?> future = ask(request);
        turn();
        future.cancel(false);
        answerAll(this::answer);

        PublicFutures.assertCancelled(future);
        assertServing();
    }

    @Test
    void asksForNoFurtherPageWhenListingIsCancelled() {
        CompletableFuture<List<SlotInfo>> future = client.list(1);
        turn();
        future.cancel(false);
        answerAll(frame -> new Frame.ListPage(1, 1024, List.of()));

        assertServing();
    }

    @Test
    void fetchesNoMoreWhenCancelledBetweenListingAndFetching() throws IOException {
        CompletableFuture<BulkResult> future = client.getAll(1, Entry::close);
        turn();
        channel.readOutbound();
        channel.writeInbound(
                new Frame.ListPage(1, -1, List.of(new SlotInfo(1, 1, 0, true), new SlotInfo(1, 2, 0, true))),
                PacketEnd.INSTANCE);
        turn();
        future.cancel(false);
        answerAll(this::answer);

        PublicFutures.assertCancelled(future);
        assertServing();
    }

    @Test
    void endOfTheSessionIsNoFailureAndCannotBeCancelled() throws Exception {
        CompletionStage<Void> closed = client.closed();
        client.closed().toCompletableFuture().cancel(false);
        assertFalse(client.closed().toCompletableFuture().isDone());

        channel.close();

        assertNull(closed.toCompletableFuture().get(30, TimeUnit.SECONDS));
    }

    @Test
    void connectFailsWhenTheDaemonRefuses() {
        try (FakeDaemon daemon = new FakeDaemon(path(), frame -> new Frame.Reply(Status.EACCES, "not let in"))) {
            CompletableFuture<EscrowClient> future = connect(Duration.ofSeconds(30));
            future.exceptionally(failure -> null).join();

            assertEquals("EACCES: not let in", PublicFutures.failureOf(future).getMessage());
            assertEquals(1, daemon.received().size());
        }
    }

    @Test
    void connectFailsWhenTheConnectionIsLostUntilItsTimeIsUp() throws IOException {
        try (ServerSocketChannel server = listen()) {
            CompletableFuture<EscrowClient> future = connect(Duration.ofMillis(200));
            future.whenComplete((client, failure) -> closeQuietly(server));
            assertThrows(ClosedChannelException.class, () -> {
                while (true) {
                    server.accept().close();
                }
            });

            assertEquals(Status.ETIMEDOUT, PublicFutures.failureOf(future).status());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectHangsUpWhenCancelled(boolean awaitTurn) throws IOException {
        try (ServerSocketChannel server = listen()) {
            EscrowClientBuilder builder = EscrowClient.builder().path(path().toString());
            CompletableFuture<EscrowClient> future = awaitTurn ? builder.awaitTurn() : builder.connect();
            try (SocketChannel accepted = server.accept()) {
                future.cancel(false);

                PublicFutures.assertCancelled(future);
                ByteBuffer greeting = ByteBuffer.allocate(1024);
                while (accepted.read(greeting) >= 0) {
                    assertTrue(greeting.hasRemaining());
                }
            }
        }
    }

    private CompletableFuture<?> ask(Method request) {
        Object[] arguments = Arrays.stream(request.getGenericParameterTypes())
                .map(this::argument)
                .toArray();
        try {
            return (CompletableFuture<?>) request.invoke(client, arguments);
        } catch (ReflectiveOperationException e) {
            return fail(e);
        }
    }

    private Object argument(Type type) {
        return switch (type.getTypeName()) {
            case "int" -> 1;
            case "byte[]" -> new byte[1];
            case "io.netty.channel.unix.FileDescriptor" -> own;
            case "io.escrow.Deposit" -> new Deposit(1, 1, own);
            case "java.lang.Runnable" -> (Runnable) () -> {};
            case "java.util.Iterator<io.escrow.Deposit>" ->
                List.of(new Deposit(1, 1, own)).iterator();
            case "java.util.Iterator<io.escrow.SlotKey>" ->
                List.of(new SlotKey(1, 1)).iterator();
            case "java.util.function.Consumer<io.escrow.Entry>" -> (Consumer<Entry>) Entry::close;
            default -> fail("no argument for a parameter of the type " + type.getTypeName());
        };
    }

    private interface Answers {
        Frame to(Frame request) throws IOException;
    }

    private Frame answer(Frame request) throws IOException {
        if (request instanceof Frame.Get get) {
            return new Frame.Add(get.tag(), get.index(), 5, new byte[1], file.openOwned());
        } else if (request instanceof Frame.Tag tag) {
            return new Frame.Info(tag.tag(), 1, 2, 3);
        } else if (request instanceof Frame.ListRequest list) {
            return new Frame.ListPage(list.tag(), -1, List.of(new SlotInfo(list.tag(), 1, 0, true)));
        }
        return OK;
    }

    /** Answers what is sent, and what is sent then. */
    private void answerAll(Answers answers) {
        turn();
        for (Frame sent = channel.readOutbound(); sent != null; sent = channel.readOutbound()) {
            try {
                channel.writeInbound(answers.to(sent), PacketEnd.INSTANCE);
            } catch (IOException e) {
                fail(e);
            }
            turn();
        }
    }

    /** Has the channel do what it has to do, also what may wait a little. */
    private void turn() {
        channel.advanceTimeBy(EmbeddedClient.DELETE_DELAY.toMillis(), TimeUnit.MILLISECONDS);
        channel.runPendingTasks();
    }

    private void assertServing() {
        CompletableFuture<Void> next = client.delete(7, 7);
        turn();
        Frame.Delete sent = assertInstanceOf(Frame.Delete.class, channel.readOutbound());
        assertEquals(7, sent.index());
        channel.writeInbound(OK, PacketEnd.INSTANCE);
        assertTrue(next.isDone() && !next.isCompletedExceptionally());
    }

    private CompletableFuture<EscrowClient> connect(Duration timeout) {
        return EscrowClient.builder()
                .path(path().toString())
                .connectTimeout(timeout)
                .connect();
    }

    private static void closeQuietly(ServerSocketChannel server) {
        try {
            server.close();
        } catch (IOException e) {
            // The test fails at its time limit.
        }
    }

    private ServerSocketChannel listen() throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path()));
    }

    private Path path() {
        return directory.resolve("s");
    }

    private static String nameOf(Method method) {
        return method.getDeclaringClass().getSimpleName() + "." + method.getName();
    }
}
