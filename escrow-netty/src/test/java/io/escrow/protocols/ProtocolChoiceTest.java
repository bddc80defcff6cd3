package io.escrow.protocols;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.handover.HandoverReport;
import io.escrow.handover.Peer;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Chooses between protocols: those of the builder come before those that are found as services. */
class ProtocolChoiceTest extends ProtocolHarness {

    private static final byte[] BODY = Peer.bytes(50, 1);

    private final CountingProtocol first = new CountingProtocol("first", CountingDecoder.class);
    private final CountingProtocol second = new CountingProtocol("second", CountingDecoder.class);

    private ServerHandoverBuilder ofService() {
        return pipelines(ServiceProtocol.Decoder::new).vouchFor(CountingDecoder.class);
    }

    @Test
    void protocolIsFoundAsAService() throws Exception {
        int before = ServiceProtocol.recognised();
        ServerHandover server = start(ofService());
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        peer.sendRaw(message(BODY), 0, 10);
        next(server, ofService());
        peer.sendRaw(message(BODY), 10, 52);
        peer.assertReceivesRaw(answer(2, BODY));
        assertEquals(before + 2, ServiceProtocol.recognised());
    }

    @Test
    void protocolOfTheBuilderTakesThePlaceOfTheServiceOfItsName() throws Exception {
        int before = ServiceProtocol.recognised();
        CountingProtocol same = new CountingProtocol(ServiceProtocol.NAME, ServiceProtocol.Decoder.class);
        ServerHandover server = start(ofService());
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        next(server, ofService().protocol(same));
        assertAnswered(peer, 2, BODY);
        assertEquals(1, same.connections().size());
        assertEquals(before + 1, ServiceProtocol.recognised());
    }

    @Test
    void serviceIsNotAskedWhenItsPlaceIsTaken() throws Exception {
        int before = ServiceProtocol.recognised();
        CountingProtocol blind = new CountingProtocol(ServiceProtocol.NAME, NobodysDecoder.class);
        ServerHandover server = start(ofService().protocol(blind));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        assertEquals(before, ServiceProtocol.recognised());
        // Nobody knows the count, which is lost with the pipeline.
        next(server, ofService());
        assertAnswered(peer, 1, BODY);
    }

    private static final class NobodysDecoder extends CountingDecoder {}

    @Test
    void protocolOfTheBuilderComesBeforeServices() throws Exception {
        int before = ServiceProtocol.recognised();
        CountingProtocol other = new CountingProtocol("other", ServiceProtocol.Decoder.class);
        start(ofService().protocol(other));
        assertAnswered(connect(), 1, BODY);
        assertEquals(1, other.connections().size());
        assertEquals(before, ServiceProtocol.recognised());
    }

    @Test
    void firstThatRecognisesAConnectionHasIt() throws Exception {
        CountingProtocol blind = new CountingProtocol("blind", NobodysDecoder.class);
        start(counting(blind).protocol(first).protocol(second));
        assertAnswered(connect(), 1, BODY);
        assertEquals(
                List.of(0, 1, 0),
                List.of(
                        blind.connections().size(),
                        first.connections().size(),
                        second.connections().size()));
    }

    @Test
    void decoderNeedsAVoucher() throws Exception {
        ServerHandover server = start(pipelines(CountingDecoder::new).protocol(first));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        HandoverReport report = handOver(server);
        assertEquals(
                "a decoder that keeps state inside a message (CountingDecoder)",
                report.staying().get(0).reason());
        start(counting(second));
        assertAnswered(peer, 2, BODY);
        peer.close();
        server.drained().join();
    }

    @Test
    void whatIsDeclaredImmovableStaysThoughAProtocolKnowsIt() throws Exception {
        ServerHandover server = start(counting(first).immovable(CountingHandler.class, "it counts for this process"));
        Peer peer = connect();
        assertAnswered(peer, 1, BODY);
        HandoverReport report = handOver(server);
        assertEquals(
                "it counts for this process (CountingHandler)",
                report.staying().get(0).reason());
        start(counting(second));
        assertAnswered(peer, 2, BODY);
        peer.close();
        server.drained().join();
    }
}
