package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class LauncherOptionsTest {

    @Test
    void scriptHasTheOptionsOfDaemonLauncher() throws Exception {
        String script = Files.readString(Path.of("../escrow-daemon/src/main/dist/lib/launch"));
        String options = String.join(" ", DaemonLauncher.SMALL);
        assertTrue(
                script.contains("exec \"$java\" " + options + " $in_place ${ESCROW_JAVA_OPTS:-}"),
                () -> options + " in " + script);
        String inPlace = "[ \"$major\" -gt " + DaemonLauncher.LAST_IN_PLACE + " ] || in_place='"
                + String.join(" ", DaemonLauncher.IN_PLACE) + "'";
        assertTrue(script.contains(inPlace), () -> inPlace + " in " + script);
    }
}
