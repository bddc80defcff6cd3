package io.escrow.handover;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Records a {@link Phase}; does nothing as long as no recording wants it. */
@Name("io.escrow.HandoverPhase")
@Label("Handover Phase")
@Description("A step of a server's start or handover")
@Category("Escrow")
@StackTrace(false)
@SuppressWarnings("UnusedVariable") // the recorder reads the fields
final class HandoverPhaseEvent extends Event {

    @Label("Phase")
    private final String phase;

    @Label("Connections")
    @Description("How many connections the phase was about")
    private int connections;

    private HandoverPhaseEvent(String phase) {
        this.phase = phase;
    }

    static Phase.Span begin(String phase) {
        HandoverPhaseEvent event = new HandoverPhaseEvent(phase);
        event.begin();
        return event::end;
    }

    private void end(int connections) {
        this.connections = connections;
        commit();
    }
}
