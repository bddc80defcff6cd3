package io.escrow.spring;

import io.escrow.testing.PackageRules;
import org.junit.jupiter.api.Test;

class StarterPackagesTest {

    private static final PackageRules rules = new PackageRules()
            .allow(
                    "io.escrow.spring",
                    "io.escrow.client",
                    "io.escrow.handover",
                    "io.escrow.handover.micrometer",
                    "io.escrow.handover.tls",
                    "io.escrow.reactor",
                    "io.escrow.internal");

    @Test
    void packagesUseOnlyWhatTheyMay() {
        rules.checkDirections();
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
