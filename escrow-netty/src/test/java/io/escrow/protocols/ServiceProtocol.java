package io.escrow.protocols;

import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import java.util.concurrent.atomic.AtomicInteger;

/** Is found as a service by all tests, and recognises only pipelines with a decoder of its own. */
public final class ServiceProtocol extends CountingProtocol {

    static final String NAME = "counting-service";

    private static final AtomicInteger RECOGNISED = new AtomicInteger();

    /** Decodes as its parent does. */
    static final class Decoder extends CountingDecoder {}

    public ServiceProtocol() {
        super(NAME, Decoder.class);
    }

    /** Counts the connections that were recognised in this process. */
    static int recognised() {
        return RECOGNISED.get();
    }

    @Override
    public ProtocolConnection recognise(ProtocolContext context) {
        ProtocolConnection connection = super.recognise(context);
        if (connection != null) {
            RECOGNISED.incrementAndGet();
        }
        return connection;
    }
}
