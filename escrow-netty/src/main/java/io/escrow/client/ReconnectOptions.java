package io.escrow.client;

import io.escrow.internal.Checks;
import java.time.Duration;

/**
 * Contains how a client makes a lost session again.
 *
 * @param within how long connecting may take, and the time in which sessions are counted
 * @param times the most new sessions in that time; 0 for none
 */
record ReconnectOptions(Duration within, int times, SessionListener listener) {

    static final int MOST_TIMES = 1_000;

    static final ReconnectOptions OFF = new ReconnectOptions(Duration.ofSeconds(30), 0, new SessionListener() {});

    ReconnectOptions {
        Checks.positive("time to reconnect", within);
        Checks.inRange("times to reconnect", times, 0, MOST_TIMES);
    }
}
