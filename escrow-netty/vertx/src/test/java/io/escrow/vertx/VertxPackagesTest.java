package io.escrow.vertx;

import io.escrow.testing.PackageRules;
import org.junit.jupiter.api.Test;

class VertxPackagesTest {

    private final PackageRules rules = new PackageRules().allow("io.escrow.vertx", "io.escrow.handover");

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
