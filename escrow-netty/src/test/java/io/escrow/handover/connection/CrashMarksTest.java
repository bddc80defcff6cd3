package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.CrashMarks.Mark;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CrashMarksTest {

    private static final String IN_THE_MIDDLE = "its process was in the middle of a message, or owed an answer";

    @TempDir
    private Path directory;

    private final List<Channel> channels = new ArrayList<>();
    private final FoundMarks found = new FoundMarks();

    @BeforeAll
    static void loadEpoll() {
        Epoll.ensureAvailability();
    }

    @AfterEach
    void close() {
        found.close();
        channels.forEach(channel -> channel.unsafe().closeForcibly());
    }

    private Channel socket() {
        Channel channel = new EpollSocketChannel();
        channels.add(channel);
        return channel;
    }

    /** Makes the marks of a process, of which the descriptor is all that is left. */
    private CrashMarks make() throws IOException {
        CrashMarks marks = CrashMarks.create(directory);
        found.add(marks.descriptor().intValue());
        return marks;
    }

    @Test
    void whatIsFoundIsWhatWasSetLast() throws Exception {
        CrashMarks marks = make();
        Channel resting = socket();
        Channel busy = socket();
        Channel settled = socket();
        marks.add(resting);
        marks.add(busy).set(true);
        Mark mark = marks.add(settled);
        mark.set(true);
        mark.set(false);
        assertNull(found.whyNotResumable(resting));
        assertEquals(IN_THE_MIDDLE, found.whyNotResumable(busy));
        assertNull(found.whyNotResumable(settled));
        assertEquals(IN_THE_MIDDLE, found.whyNotResumable(socket()), "of this one nothing is known");
    }

    /** When the escrow knows that a connection can't go on, what it is doing is not looked at. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theMarkIsKeptUpWhenItMakesADifference(boolean again) throws Exception {
        CrashMarks marks = make();
        Channel socket = socket();
        EmbeddedChannel pipeline = new EmbeddedChannel(new LengthFieldBasedFrameDecoder(100, 0, 4));
        CrashMark mark = new CrashMark();
        mark.attached(pipeline.pipeline().firstContext());
        mark.enable(null, null);
        mark.keepIn(marks.add(socket));
        mark.idle(true);
        mark.read();
        mark.readCompleted();
        mark.flushed();
        if (again) {
            mark.idle(false);
        }
        assertEquals(again ? null : IN_THE_MIDDLE, found.whyNotResumable(socket));
        pipeline.close();
    }

    @Test
    void withoutMarksNothingIsHeldAgainstAConnection() {
        assertNull(found.whyNotResumable(socket()));
    }

    @Test
    void theFileHasNoName() throws Exception {
        make();
        try (var files = Files.list(directory)) {
            assertEquals(0, files.count());
        }
    }

    @Test
    @SuppressWarnings("deprecation") // Netty 4.1 has no other group
    void aPlaceIsUsedAgain() throws Exception {
        CrashMarks marks = make();
        Channel gone = socket();
        marks.add(gone).set(true);
        EventLoopGroup group = new EpollEventLoopGroup(1);
        try {
            group.register(gone).sync();
            gone.close().sync();
        } finally {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
        Channel next = socket();
        marks.add(next);
        assertNull(found.whyNotResumable(next));
        assertEquals(2 * CrashMarks.ENTRY, marks.length());
    }

    @Test
    void theMarkOfTheLaterProcessCounts() throws Exception {
        Channel first = socket();
        Channel second = socket();
        CrashMarks before = make();
        before.add(first).set(true);
        before.add(second);
        CrashMarks behind = make();
        behind.add(first);
        behind.add(second).set(true);
        assertNull(found.whyNotResumable(first));
        assertEquals(IN_THE_MIDDLE, found.whyNotResumable(second));
    }

    @Test
    void manyConnectionsHaveMarks() throws Exception {
        CrashMarks marks = make();
        List<Channel> marked = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            Channel channel = socket();
            Mark mark = marks.add(channel);
            mark.set(i % 3 == 0);
            if (i % 3 == 0) {
                marked.add(channel);
            }
        }
        for (Channel channel : channels) {
            assertEquals(marked.contains(channel), found.whyNotResumable(channel) != null);
        }
    }

    @Test
    void whatIsNoFileOfMarksHoldsEveryConnectionBack() throws Exception {
        make();
        found.add(FileDescriptor.from(directory.resolve("other").toFile()).intValue());
        String reason = found.whyNotResumable(socket());
        assertTrue(reason.startsWith("nobody can tell whether its process was in the middle of a message"), reason);
    }

    @Test
    void thereMustBeADirectory() {
        assertThrows(NoSuchFileException.class, () -> CrashMarks.create(directory.resolve("none")));
    }
}
