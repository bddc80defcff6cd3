package io.escrow.handover;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.slf4j.Logger;

/** Notes, and logs, what a start could not take over. May be used by any thread. */
final class StartNotes {

    private static final Logger logger = HandoverLog.LOGGER;

    private final Queue<String> refused = new ConcurrentLinkedQueue<>();
    private final Queue<String> left = new ConcurrentLinkedQueue<>();

    /** Notes what was given up. */
    void refuse(String what) {
        refused.add(what);
        logger.warn("not adopted: {}", what);
    }

    /** Notes what was left as it is, for another version of the program. */
    void leave(String what) {
        left.add(what);
        logger.warn("not adopted, and left as it is (in the escrow, or in waves with the process before): {}", what);
    }

    /** Notes that the process before has stopped to hand over in waves. */
    void leaveRest() {
        left.add("the rest of the connections: the process before goes on with them");
        logger.warn("the process before has broken off its handover, and goes on with the rest of the connections");
    }

    List<String> refused() {
        return List.copyOf(refused);
    }

    List<String> left() {
        return List.copyOf(left);
    }
}
