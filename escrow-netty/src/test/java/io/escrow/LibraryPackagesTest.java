package io.escrow;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.testing.PackageRules;
import org.junit.jupiter.api.Test;

class LibraryPackagesTest {

    private static final String VALUES = "io.escrow";
    private static final String INTERNAL = "io.escrow.internal";
    private static final String CODEC = "io.escrow.codec";
    private static final String CLIENT = "io.escrow.client";
    private static final String PROTOCOL = "io.escrow.handover.protocol";
    private static final String STORE = "io.escrow.handover.store";
    private static final String SEAL = "io.escrow.handover.seal";
    private static final String CONNECTION = "io.escrow.handover.connection";
    private static final String LINK = "io.escrow.handover.link";
    private static final String HTTP = "io.escrow.handover.http";
    private static final String FRAMING = "io.escrow.handover.framing";
    private static final String HANDOVER = "io.escrow.handover";
    private static final String TLS = "io.escrow.handover.tls";
    private static final String TLS_RECORD = "io.escrow.handover.tls.record";
    private static final String TLS_SOURCE = "io.escrow.handover.tls.source";
    private static final String TLS_TICKET = "io.escrow.handover.tls.ticket";
    private static final String MICROMETER = "io.escrow.handover.micrometer";

    private static final PackageRules rules = new PackageRules()
            .allow(VALUES)
            .allow(INTERNAL, VALUES)
            .allow(CODEC, VALUES, INTERNAL)
            .allow(CLIENT, VALUES, INTERNAL, CODEC)
            .allow(PROTOCOL)
            .allow(STORE, VALUES, INTERNAL, CLIENT)
            .allow(SEAL, VALUES, STORE)
            .allow(TLS)
            .allow(TLS_RECORD)
            .allow(TLS_TICKET)
            .allow(TLS_SOURCE, TLS_RECORD)
            .allow(CONNECTION, VALUES, INTERNAL, PROTOCOL, STORE, SEAL, TLS_RECORD, TLS_SOURCE)
            .allow(LINK, VALUES, INTERNAL, STORE)
            .allow(HTTP, PROTOCOL)
            .allow(FRAMING, PROTOCOL)
            .allow(
                    HANDOVER,
                    VALUES,
                    INTERNAL,
                    CLIENT,
                    PROTOCOL,
                    STORE,
                    SEAL,
                    TLS,
                    TLS_SOURCE,
                    TLS_TICKET,
                    CONNECTION,
                    LINK)
            .allow(MICROMETER, HANDOVER)
            .allowPair(EscrowClient.class, BlockingEscrow.class)
            .allowPair(EscrowClient.class, EscrowClientBuilder.class)
            .allowPair(CLIENT + ".Connector", CLIENT + ".HelloHandler")
            .allowPair(ServerHandover.class, ServerHandoverBuilder.class)
            .allowPair(ServerHandover.class, HandoverTransport.class)
            .allowPair(HANDOVER + ".Phase", HANDOVER + ".HandoverPhaseEvent")
            .allowPair(CONNECTION + ".Connection", CONNECTION + ".ConnectionHandler")
            .allowPair(STORE + ".ChannelRecord", STORE + ".RecordParser")
            .allowPair(STORE + ".ChannelSlot", STORE + ".EscrowTable")
            .allowPair(TLS_RECORD + ".TlsState", TLS_RECORD + ".TlsStateCodec");

    @Test
    void packagesUseOnlyWhatTheyMay() {
        rules.checkDirections();
    }

    @Test
    void theApiMentionsNothingInternal() {
        rules.checkApi(VALUES, CLIENT, PROTOCOL, HANDOVER, TLS, MICROMETER);
    }

    @Test
    void noPackagesDependOnEachOther() {
        rules.checkNoCircleOfPackages();
    }

    @Test
    void noClassesDependOnEachOther() {
        rules.checkNoCircleOfClasses();
    }

    @Test
    void noTestIsDisabled() {
        PackageRules.checkNoTestIsDisabled();
    }
}
