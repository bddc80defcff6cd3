package io.escrow.reactor;

import io.escrow.testing.PackageRules;
import org.junit.jupiter.api.Test;

class ReactorPackagesTest {

    private static final PackageRules rules = new PackageRules().allow("io.escrow.reactor", "io.escrow.handover");

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
