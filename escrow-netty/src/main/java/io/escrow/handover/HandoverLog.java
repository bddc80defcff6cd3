package io.escrow.handover;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Holds the logger of everything in this package: to readers of the log it is one server. */
final class HandoverLog {

    static final Logger LOGGER = LoggerFactory.getLogger("io.escrow.handover.ServerHandover");

    private HandoverLog() {}
}
