package io.escrow.testing;

import io.netty.util.Version;

/** Finds out which line of Netty the tests run with. */
public final class NettyLine {

    private NettyLine() {}

    /** Returns whether it is 4.2; else it is 4.1. */
    public static boolean is42() {
        String version = Version.identify().get("netty-common").artifactVersion();
        if (!version.startsWith("4.1.") && !version.startsWith("4.2.")) {
            throw new IllegalStateException("Netty " + version + " (expected: 4.1 or 4.2)");
        }
        return version.startsWith("4.2.");
    }
}
