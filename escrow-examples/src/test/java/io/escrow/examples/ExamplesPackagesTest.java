package io.escrow.examples;

import io.escrow.testing.PackageRules;
import org.junit.jupiter.api.Test;

class ExamplesPackagesTest {

    private static final String VALUES = "io.escrow";
    private static final String CLIENT = "io.escrow.client";
    private static final String PROTOCOL = "io.escrow.handover.protocol";
    private static final String HANDOVER = "io.escrow.handover";
    private static final String MOVABLE_TLS = "io.escrow.handover.tls";
    private static final String DAEMON = "io.escrow.daemon.main";

    private static final String EXAMPLES = "io.escrow.examples";
    private static final String BENCH = "io.escrow.examples.bench";
    private static final String RECORDS = "io.escrow.examples.records";
    private static final String TLS = "io.escrow.examples.tls";
    private static final String PROCESS = "io.escrow.examples.process";

    private final PackageRules rules = new PackageRules()
            .allow(PROCESS, DAEMON)
            .allow(RECORDS)
            .allow(BENCH, PROCESS, TLS, VALUES, CLIENT, HANDOVER, MOVABLE_TLS, DAEMON)
            .allow(EXAMPLES, BENCH, RECORDS, PROCESS, TLS, VALUES, CLIENT, HANDOVER, PROTOCOL);

    @Test
    void packagesUseOnlyWhatTheyMay() {
        rules.checkDirections();
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
