package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.EscrowClient;
import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Describes servers wrongly: nothing is connected to, and nothing bound. */
class ServerHandoverBuilderTest {

    private static final SocketAddress ADDRESS = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    private static final Duration MORE_THAN_ANYBODY_WAITS = Duration.ofDays(36_501);
    private static final EventLoopGroup EPOLL = EventLoopGroups.epoll(1);
    private static final EventLoopGroup NIO = EventLoopGroups.nio();
    private static final EventLoopGroup LOCAL = EventLoopGroups.local();

    private final ServerHandoverBuilder builder =
            ServerHandover.with(EscrowClient.builder().path("/does/not/exist"));

    @AfterAll
    static void endLoops() {
        List.of(EPOLL, NIO, LOCAL).forEach(EventLoopGroup::shutdownGracefully);
    }

    private static ServerBootstrap complete() {
        return new ServerBootstrap().group(EPOLL).childHandler(new ChannelInboundHandlerAdapter());
    }

    private static void assertRefused(String message, Executable wrong) {
        assertEquals(
                message, assertThrows(IllegalArgumentException.class, wrong).getMessage());
    }

    private void assertStartRefused(String message) {
        assertRefused(message, builder::start);
    }

    @Test
    void needsAListener() {
        assertStartRefused("the server has no listener (expected: one at least): add one");
    }

    @Test
    void namesOfListenersDiffer() {
        builder.listen("a", complete(), ADDRESS).listen("b", complete(), ADDRESS, 2);

        assertRefused(
                "name of a listener: a is taken (expected: a name of its own)",
                () -> builder.listen("a", complete(), ADDRESS));
        assertRefused(
                "name of a listener: b#1 is taken (expected: a name of its own)",
                () -> builder.listen("b#1", complete(), ADDRESS));
        assertRefused(
                "name of a listener: b#0 is taken (expected: a name of its own)",
                () -> builder.listen("b", complete(), ADDRESS, 3));
        assertRefused(
                "name of a listener: a is taken (expected: a name of its own)",
                () -> builder.datagram("a", new Bootstrap(), ADDRESS));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a\nb", "\0rendezvous"})
    void nameIsText(String name) {
        assertRefused(
                "name of a listener: \"" + name + "\", " + name.length()
                        + " bytes (expected: 1 to 255 bytes without control characters)",
                () -> builder.listen(name, complete(), ADDRESS));
    }

    @Test
    void nameHasItsBound() {
        builder.listen("n".repeat(255), complete(), ADDRESS);

        assertThrows(IllegalArgumentException.class, () -> builder.listen("ä".repeat(128), complete(), ADDRESS));
        assertThrows(IllegalArgumentException.class, () -> builder.datagram("n".repeat(256), new Bootstrap(), ADDRESS));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 1_001})
    void countHasItsRange(int count) {
        assertRefused(
                "number of listeners named a: " + count + " (expected: 1..1000)",
                () -> builder.listen("a", complete(), ADDRESS, count));
    }

    @Test
    void listenerNeedsAGroup() {
        builder.listen("a", new ServerBootstrap().childHandler(new ChannelInboundHandlerAdapter()), ADDRESS);

        assertStartRefused(
                "listener a: its bootstrap has no group (expected: an epoll event loop group: EpollIoHandler, or EpollEventLoopGroup with Netty 4.1)");
    }

    static Stream<EventLoopGroup> otherTransports() {
        return Stream.of(NIO, LOCAL);
    }

    @ParameterizedTest
    @MethodSource("otherTransports")
    void groupIsOfEpoll(EventLoopGroup other) {
        builder.listen("a", complete(), ADDRESS)
                .listen(
                        "b",
                        new ServerBootstrap().group(other).childHandler(new ChannelInboundHandlerAdapter()),
                        ADDRESS);

        assertStartRefused(
                "listener b: group: a " + other.getClass().getSimpleName()
                        + " with another transport (needs an epoll event loop group: EpollIoHandler, or EpollEventLoopGroup with Netty 4.1)");
    }

    @ParameterizedTest
    @MethodSource("otherTransports")
    void childGroupIsOfEpoll(EventLoopGroup other) {
        builder.listen(
                "a",
                new ServerBootstrap().group(EPOLL, other).childHandler(new ChannelInboundHandlerAdapter()),
                ADDRESS);

        assertStartRefused(
                "listener a: child group: a " + other.getClass().getSimpleName()
                        + " with another transport (needs an epoll event loop group: EpollIoHandler, or EpollEventLoopGroup with Netty 4.1)");
    }

    @Test
    void listenerNeedsAChildHandler() {
        builder.listen("a", new ServerBootstrap().group(EPOLL), ADDRESS);

        assertStartRefused("listener a: its bootstrap has no child handler (expected: one that builds pipelines)");
    }

    @Test
    void datagramSocketNeedsAGroupAndAHandler() {
        Bootstrap bootstrap = new Bootstrap();
        builder.datagram("a", bootstrap, ADDRESS);

        assertStartRefused(
                "listener a: its bootstrap has no group (expected: an epoll event loop group: EpollIoHandler, or EpollEventLoopGroup with Netty 4.1)");
        bootstrap.group(EPOLL);
        assertStartRefused("listener a: its bootstrap has no handler (expected: one that reads datagrams)");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 65_534})
    void firstTagHasItsRange(int tag) {
        assertRefused("first tag: " + tag + " (expected: 0..65533)", () -> builder.firstTag(tag));
    }

    static Stream<Duration> noTimes() {
        return Stream.of(Duration.ZERO, Duration.ofSeconds(-1), MORE_THAN_ANYBODY_WAITS);
    }

    @ParameterizedTest
    @MethodSource("noTimes")
    void timesArePositive(Duration time) {
        String expected = ": " + time + " (expected: more than 0, at most 36500 days)";
        assertRefused("time to drain connections" + expected, () -> builder.drain(time));
        assertRefused("pause of a wave" + expected, () -> builder.waves(time));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " \n"})
    void reasonSaysSomething(String reason) {
        assertRefused(
                "reason why a ChannelInboundHandlerAdapter can't be moved: blank (expected: a few words)",
                () -> builder.immovable(ChannelInboundHandlerAdapter.class, reason));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "smørrebrød", "two\nlines"})
    void protocolHasAName(String name) {
        builder.listen("a", complete(), ADDRESS).protocol(new Named(name));

        assertStartRefused("name of protocol " + Named.class.getName() + ": \"" + name
                + "\" (expected: 1 to 100 printable ASCII characters)");
    }

    @Test
    void nameOfAProtocolHasItsBound() {
        builder.listen("a", complete(), ADDRESS).protocol(new Named("n".repeat(101)));

        String message =
                assertThrows(IllegalArgumentException.class, builder::start).getMessage();
        assertTrue(message.endsWith("(expected: 1 to 100 printable ASCII characters)"), message);
    }

    @Test
    void namesOfProtocolsDiffer() {
        builder.listen("a", complete(), ADDRESS).protocol(new Named("p")).protocol(new Named("p"));

        assertStartRefused("two protocols are named p: give one of them");
    }

    @Test
    void missingValuesAreRefused() {
        assertThrows(NullPointerException.class, () -> builder.listen("a", null, ADDRESS));
        assertThrows(NullPointerException.class, () -> builder.listen("a", complete(), null));
        assertThrows(NullPointerException.class, () -> builder.protocol(null));
        assertThrows(NullPointerException.class, () -> builder.observer(null));
        assertThrows(NullPointerException.class, () -> builder.onProgress(null));
        assertThrows(NullPointerException.class, () -> builder.drain(null));
        assertThrows(NullPointerException.class, () -> builder.inheritListeners(null));
    }

    private record Named(String name) implements Protocol {
        @Override
        public ProtocolConnection recognise(ProtocolContext context) {
            return null;
        }
    }
}
