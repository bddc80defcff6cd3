package io.escrow.codec;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.unix.FileDescriptor;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TracerTest {

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final EmbeddedChannel channel = new EmbeddedChannel(new Tracer(new PrintStream(printed, true, UTF_8)));

    /** The first four are as the C escrow prints them. */
    static Stream<Arguments> lines() {
        return Stream.of(
                arguments(new Frame.Get(0, 0), "{GET   0   0} (-1)   0"),
                arguments(
                        new Frame.Reply(Status.ENOENT, "Non-existent index in a GET request."),
                        "{REP  -2 \"Non-existent index in a GET request.\"} (-1)   0"),
                arguments(new Frame.Add(0, 0, 5, new byte[0], new FileDescriptor(6)), "{ADD   0   0   5    0} (6)   0"),
                arguments(new Frame.Reply(Status.OK, ""), "{REP   0 \"\"} (-1)   0"),
                arguments(new Frame.Add(1, 7, -1, new byte[12], null), "{ADD   1   7  -1   12} (-1)  12"),
                arguments(new Frame.Update(1, 7, new byte[12]), "{UPD   1   7   12} (-1)  12"),
                arguments(new Frame.Delete(31, 1000), "{DEL  31 1000} (-1)   0"),
                arguments(new Frame.Tag(3), "{TAG   3} (-1)   0"),
                arguments(new Frame.Info(3, 2, 8, 64), "{INF   3   2   8   64} (-1)   0"),
                arguments(new Frame.ListRequest(3, 0, 1024), "{LST   3   0 1024} (-1)   0"),
                arguments(
                        new Frame.ListPage(3, -1, List.of(new SlotInfo(3, 7, 1, false))), "{LST   3  -1   1} (-1)   0"),
                arguments(new Frame.Hello(1, Limits.DEFAULT), "{HEL   1  32} (-1)   0"),
                arguments(new Frame.Hello(1, null), "{HEL   1   0} (-1)   0"),
                arguments(new Frame.Invalid(Status.EBADF, "closed"), "{???  -9 \"closed\"} (-1)   0"));
    }

    @ParameterizedTest
    @MethodSource("lines")
    void printsAndPassesOnWhatIsReceived(Frame frame, String line) {
        channel.writeInbound(frame);

        assertSame(frame, channel.readInbound());
        assertEquals("recv: " + line + System.lineSeparator(), printed.toString(UTF_8));
    }

    @ParameterizedTest
    @MethodSource("lines")
    void printsAndPassesOnWhatIsSent(Frame frame, String line) {
        channel.writeOutbound(frame);

        assertSame(frame, channel.readOutbound());
        assertEquals("send: " + line + System.lineSeparator(), printed.toString(UTF_8));
    }

    @Test
    void printsFramesOnly() {
        assertTrue(channel.writeInbound(PacketEnd.INSTANCE));

        assertEquals("", printed.toString(UTF_8));
    }
}
