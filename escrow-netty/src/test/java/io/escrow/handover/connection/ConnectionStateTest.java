package io.escrow.handover.connection;

import static io.escrow.handover.connection.ConnectionState.APART;
import static io.escrow.handover.connection.ConnectionState.ENDED;
import static io.escrow.handover.connection.ConnectionState.GONE;
import static io.escrow.handover.connection.ConnectionState.HELD;
import static io.escrow.handover.connection.ConnectionState.RESTING;
import static io.escrow.handover.connection.ConnectionState.SERVING;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ConnectionStateTest {

    /** The arrows of the diagram in the package description. */
    private static final Map<ConnectionState, Set<ConnectionState>> ARROWS = Map.of(
            HELD, EnumSet.of(SERVING, GONE, ENDED),
            SERVING, EnumSet.of(RESTING, ENDED),
            RESTING, EnumSet.of(SERVING, APART, ENDED),
            APART, EnumSet.of(SERVING, GONE, ENDED),
            GONE, EnumSet.noneOf(ConnectionState.class),
            ENDED, EnumSet.noneOf(ConnectionState.class));

    @ParameterizedTest
    @EnumSource
    void becomesWhatAnArrowLeadsTo(ConnectionState state) {
        assertEquals(ARROWS.get(state), where(state::mayBecome));
    }

    @Test
    void readsOnlyWhatItServesAndWhatIsLeftAtTheEnd() {
        assertEquals(EnumSet.of(SERVING, ENDED), where(ConnectionState::isReading));
    }

    @Test
    void sendsAtRestToo() {
        assertEquals(EnumSet.of(SERVING, RESTING, ENDED), where(ConnectionState::isSending));
    }

    private static Set<ConnectionState> where(Predicate<ConnectionState> condition) {
        return EnumSet.allOf(ConnectionState.class).stream()
                .filter(condition)
                .collect(Collectors.toCollection(() -> EnumSet.noneOf(ConnectionState.class)));
    }
}
