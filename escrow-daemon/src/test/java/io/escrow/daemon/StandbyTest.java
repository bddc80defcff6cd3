package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.daemon.socket.SocketFile;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StandbyTest {

    @TempDir
    Path directory;

    private Path path;
    private final List<String> told = new ArrayList<>();
    private final StandbyListener listener = new StandbyListener() {
        @Override
        public void standingBy(EventLoop loop, Supplier<DaemonStatus> status) {
            told.add("standing by");
        }

        @Override
        public void notStandingBy(String reason) {
            told.add(reason);
        }
    };

    private SocketFile other;

    @BeforeEach
    void name() {
        path = directory.resolve("s");
    }

    @AfterEach
    void release() {
        if (other != null) {
            other.close();
        }
    }

    private Standby<String> standby(Ways ways, StandbyListener told) {
        return new Standby<>(() -> SocketFile.unclaimed(path), ways, told);
    }

    private void claimedByAnother() throws EscrowException {
        other = SocketFile.claim(path, false, Duration.ofSeconds(1));
    }

    /** Serves with the text that each way says; {@link #follow} may be overridden. */
    private static class Ways implements Standby.Ways<String> {
        @Override
        public String start(SocketFile claimed) throws EscrowException {
            claimed.close();
            return "started";
        }

        @Override
        public String follow(SocketFile next, StandbyListener from) throws EscrowException {
            next.close();
            return "promoted";
        }
    }

    @Test
    void servesAtOnceWhenNobodyDoes() throws EscrowException {
        assertEquals("started", standby(new Ways(), listener).serve());
        assertEquals(List.of(), told);
    }

    @Test
    void followsWhoServes() throws EscrowException {
        claimedByAnother();
        assertEquals("promoted", standby(new Ways(), listener).serve());
    }

    /** Each reason is told once, until something else has happened. */
    @Test
    void triesAgainAndTellsEachReasonOnce() throws EscrowException {
        Ways ways = new Ways() {
            private int tries;

            @Override
            public String follow(SocketFile next, StandbyListener from) throws EscrowException {
                next.close();
                tries++;
                if (tries == 3) {
                    from.standingBy(null, null);
                }
                if (tries < 5) {
                    throw new EscrowException(Status.ECONNRESET, "refused");
                }
                return "promoted after " + tries;
            }
        };
        claimedByAnother();
        assertEquals("promoted after 5", standby(ways, listener).serve());
        assertEquals(List.of("ECONNRESET: refused", "standing by", "ECONNRESET: refused"), told);
    }

    /** The kernel may lack memory for a lock. */
    @Test
    void triesAgainWhenTheFileCanNotBeLocked() throws EscrowException {
        Queue<SocketFile> files = new ArrayDeque<>();
        for (int i = 0; i < 3; i++) {
            files.add(SocketFile.unclaimed(path));
        }
        files.stream().limit(2).forEach(SocketFile::close); // A closed file can't be locked, either.
        assertEquals("started", new Standby<>(files::remove, new Ways(), listener).serve());
        assertEquals(1, told.size(), told::toString);
        assertTrue(told.get(0).contains("s.lock\" can't be locked"), told::toString);
    }

    @Test
    void failsWhenItCanNotStart() {
        Ways ways = new Ways() {
            @Override
            public String start(SocketFile claimed) throws EscrowException {
                claimed.close();
                throw new EscrowException(Status.EADDRINUSE, "a socket is there");
            }
        };
        EscrowException e = assertThrows(EscrowException.class, standby(ways, listener)::serve);
        assertEquals("a socket is there", e.text());
    }
}
