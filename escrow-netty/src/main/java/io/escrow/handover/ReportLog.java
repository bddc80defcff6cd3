package io.escrow.handover;

import io.escrow.EscrowException;
import java.net.SocketAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.slf4j.Logger;

/** Logs how a handover went, in the process that hands over. */
final class ReportLog {

    private static final Logger logger = HandoverLog.LOGGER;

    /** How many reasons are logged: some of them name the connection, so that there may be as many as connections. */
    private static final int MAX_REASONS = 20;

    private ReportLog() {}

    /** Logs what was moved, and what stays, one line for each reason. */
    static void handedOver(HandoverReport report) {
        List<HandoverReport.Staying> staying = report.staying();
        logger.info(
                "handed over: listeners {}, connections {}; staying {}; {} ms until all were at rest, {} ms to store them",
                report.listeners(),
                report.connections(),
                staying.size(),
                report.resting().toMillis(),
                report.storing().toMillis());
        Map<String, List<HandoverReport.Staying>> byReason = staying.stream()
                .collect(
                        Collectors.groupingBy(HandoverReport.Staying::reason, LinkedHashMap::new, Collectors.toList()));
        byReason.entrySet().stream()
                .limit(MAX_REASONS)
                .forEach(e -> stays(
                        e.getKey(), e.getValue().size(), e.getValue().get(0).peer()));
        if (byReason.size() > MAX_REASONS) {
            logger.warn(
                    "staying, and drained here, for {} more reasons: HandoverReport.staying has them all",
                    byReason.size() - MAX_REASONS);
        }
    }

    private static void stays(String reason, int count, SocketAddress peer) {
        logger.warn("staying, and drained here: {} (connections: {}, one of them from {})", reason, count, peer);
    }

    /** Logs why a handover has failed, with the stack of what no part of the library has foreseen. */
    static void failed(EscrowException failure) {
        Throwable cause = failure.getCause();
        boolean unforeseen = cause instanceof RuntimeException || cause instanceof Error;
        logger.atWarn()
                .setCause(unforeseen ? failure : null)
                .log("the server could not be handed over, and goes on: {}", failure.getMessage());
    }
}
