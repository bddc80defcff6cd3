package io.escrow.spring;

import io.escrow.handover.HandoverObserver;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.StartReport;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Knows for the health indicators how the server stands with the escrow. May be used by any thread. */
final class EscrowState implements HandoverObserver {

    private volatile HandoverTransport transport;
    private volatile boolean handedOver;
    private volatile boolean lost;

    void watch(HandoverTransport transport) {
        this.transport = transport;
    }

    /** Returns whether the server would be handed over now. */
    boolean isInEscrow() {
        return server() != null && !lost;
    }

    private ServerHandover server() {
        CompletableFuture<ServerHandover> server = transport == null ? null : transport.server();
        return server == null || !server.isDone() || server.isCompletedExceptionally() ? null : server.join();
    }

    /** Returns what a health indicator tells besides its status. */
    Map<String, Object> details() {
        Map<String, Object> details = new LinkedHashMap<>();
        ServerHandover server = server();
        if (server == null) {
            details.put("state", "the web server has not asked the escrow for its listener, or waits for its turn");
            return details;
        }
        details.put("state", handedOver ? "handed over" : "serving");
        details.put("session", lost ? "lost" : "held");
        details.put("connections", server.connections());
        StartReport start = server.startReport();
        details.put("adopted", start.adopted());
        details.put("foundAfterCrash", start.foundAfterCrash());
        details.put("refused", start.refused().size());
        details.put("left", start.left().size());
        return details;
    }

    @Override
    public void handedOver(HandoverReport report) {
        handedOver = true;
    }

    @Override
    public void sessionLost() {
        lost = true;
    }

    @Override
    public void sessionRegained() {
        lost = false;
    }
}
