package io.escrow.daemon.follow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.OwnedDescriptor;
import io.netty.channel.epoll.Epoll;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MarkTest {

    static {
        Epoll.ensureAvailability(); // Loads Netty's library.
    }

    private final Mark mark = new Mark();
    /** The pipe is one for both processes. */
    private final OwnedDescriptor end =
            new OwnedDescriptor(mark.frame().descriptor().intValue());

    @AfterEach
    void close() {
        mark.close();
        end.detach();
    }

    private Mark.State state() throws IOException {
        return Mark.read(end);
    }

    @Test
    void isDirtyAtFirst() throws IOException {
        assertEquals(Mark.State.DIRTY, state());
    }

    @Test
    void saysWhatWasNotedLast() throws IOException {
        mark.clean();
        mark.clean();
        mark.dirty();
        mark.dirty();
        mark.clean();
        assertEquals(Mark.State.CLEAN, state());
    }

    @Test
    void neverComesBack() throws IOException {
        mark.clean();
        mark.revoke();
        mark.dirty();
        mark.clean();
        assertEquals(Mark.State.REVOKED, state());
    }

    @Test
    void staysAsItIsLeft() throws IOException {
        mark.clean();
        mark.leave();
        mark.dirty();
        mark.close();
        assertEquals(Mark.State.CLEAN, state());
    }

    @Test
    void missingOneIsRevoked() throws IOException {
        assertEquals(Mark.State.REVOKED, Mark.read(null));
    }
}
