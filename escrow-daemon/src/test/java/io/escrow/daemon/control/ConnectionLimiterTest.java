package io.escrow.daemon.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ConnectionLimiterTest {

    private static final int LIMIT = 2;

    private final Set<Object> strangers = new HashSet<>();
    private final EmbeddedChannel listener =
            new EmbeddedChannel(new ConnectionLimiter(LIMIT, child -> !strangers.contains(child)));

    private EmbeddedChannel connect(boolean letIn) {
        EmbeddedChannel child = new EmbeddedChannel();
        if (!letIn) {
            strangers.add(child);
        }
        listener.writeInbound(child);
        return child;
    }

    @Test
    void closesWhoIsTooMany() {
        EmbeddedChannel first = connect(true);
        EmbeddedChannel second = connect(true);
        EmbeddedChannel third = connect(true);

        assertFalse(third.isOpen());
        assertTrue(first.isOpen() && second.isOpen());
        first.close();
        assertTrue(connect(true).isOpen());
        assertEquals(3, listener.inboundMessages().size());
    }

    @Test
    void thoseWhoAreNotLetInTakeNobodysPlace() {
        List<EmbeddedChannel> others = new ArrayList<>();
        for (int i = 0; i <= ConnectionLimiter.FEW; i++) {
            others.add(connect(false));
        }

        assertFalse(others.get(ConnectionLimiter.FEW).isOpen());
        assertTrue(others.get(ConnectionLimiter.FEW - 1).isOpen());
        assertTrue(connect(true).isOpen());
    }
}
