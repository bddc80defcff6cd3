package io.escrow.daemon;

import io.escrow.testing.PackageRules;
import org.junit.jupiter.api.Test;

class DaemonPackagesTest {

    private static final String VALUES = "io.escrow";
    private static final String CODEC = "io.escrow.codec";
    private static final String CLIENT = "io.escrow.client";
    private static final String INTERNAL = "io.escrow.internal";
    private static final String HANDOVER_RECORDS = "io.escrow.handover.store";

    private static final String DAEMON = "io.escrow.daemon";
    private static final String CONFIG = "io.escrow.daemon.config";
    private static final String KERNEL = "io.escrow.daemon.kernel";
    private static final String EVENTS = "io.escrow.daemon.events";
    private static final String STORE = "io.escrow.daemon.store";
    private static final String SOCKET = "io.escrow.daemon.socket";
    private static final String FOLLOW = "io.escrow.daemon.follow";
    private static final String CONTROL = "io.escrow.daemon.control";
    private static final String MAIN = "io.escrow.daemon.main";
    private static final String CONTROL_RECORDS = "io.escrow.control";
    private static final String CTL = "io.escrow.ctl";

    private static final PackageRules rules = new PackageRules()
            .allow(CONTROL_RECORDS, VALUES)
            .allow(KERNEL, VALUES)
            .allow(CONFIG, KERNEL, VALUES)
            .allow(EVENTS, KERNEL, VALUES, CODEC)
            .allow(STORE, CONFIG, EVENTS, KERNEL, VALUES, CODEC)
            .allow(SOCKET, CONFIG, KERNEL, VALUES, INTERNAL)
            .allow(FOLLOW, CONTROL_RECORDS, CONFIG, STORE, EVENTS, KERNEL, VALUES, CODEC, INTERNAL)
            .allow(
                    CONTROL,
                    CONTROL_RECORDS,
                    FOLLOW,
                    STORE,
                    SOCKET,
                    CONFIG,
                    EVENTS,
                    KERNEL,
                    VALUES,
                    CODEC,
                    HANDOVER_RECORDS,
                    INTERNAL)
            .allow(
                    DAEMON,
                    CONTROL,
                    CONTROL_RECORDS,
                    FOLLOW,
                    STORE,
                    SOCKET,
                    CONFIG,
                    EVENTS,
                    KERNEL,
                    VALUES,
                    CODEC,
                    INTERNAL)
            .allow(CTL, CONTROL_RECORDS, VALUES)
            .allow(MAIN, DAEMON, FOLLOW, CTL, CLIENT, CONFIG, EVENTS, SOCKET, KERNEL, VALUES, INTERNAL);

    @Test
    void packagesUseOnlyWhatTheyMay() {
        rules.checkDirections();
    }

    @Test
    void theApiMentionsNothingInternal() {
        rules.checkApi(VALUES, DAEMON, CONFIG);
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
