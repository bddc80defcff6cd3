package io.escrow.internal;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DaemonProcessTest {

    /** The sixth field of /proc/PID/stat, counted behind the name in parentheses: proc(5). */
    private static final int SESSION = 3;

    private static final String NEEDED =
            "PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|TZ|TMPDIR|LD_LIBRARY_PATH|MALLOC_ARENA_MAX"
                    + "|JAVA_HOME|ESCROW_JAVA|ESCROW_JAVA_OPTS";

    @Test
    void startsDaemonInSessionOfItsOwn() throws Exception {
        Process daemon = DaemonProcess.start(shell("echo 'Listening on \"s\"' >&2; exec sleep 600"));
        try {
            String stat = Files.readString(Path.of("/proc/" + daemon.pid() + "/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", SESSION + 2);
            assertEquals(Long.toString(daemon.pid()), fields[SESSION]);
            assertTrue(daemon.isAlive());
        } finally {
            daemon.destroyForcibly().waitFor();
        }
    }

    @Test
    void daemonApartHasNothingOfThisProcess() throws Exception {
        Process daemon =
                DaemonProcess.startApart(shell("echo 'Listening on \"s\"' >&2; exec sleep 600"), Path.of("/"), false);
        try {
            Path proc = Path.of("/proc/" + daemon.pid());
            assertEquals(Path.of("/"), Files.readSymbolicLink(proc.resolve("cwd")));
            // A process in the middle of exec has none.
            String environment = await().until(() -> Files.readString(proc.resolve("environ")), all -> !all.isEmpty());
            List<String> names = Stream.of(environment.split("\0"))
                    .map(variable -> variable.substring(0, variable.indexOf('=')))
                    .toList();
            assertTrue(names.contains("PATH"), names::toString);
            // The shell adds the variables of its own.
            assertTrue(
                    names.stream().allMatch(name -> name.matches("LC_.*|PWD|OLDPWD|SHLVL|_|" + NEEDED)),
                    names::toString);
        } finally {
            daemon.destroyForcibly().waitFor();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Listening on", "Standing by for"})
    void seesThatDaemonIsReady(String sign) throws Exception {
        Process daemon = DaemonProcess.start(shell("echo '" + sign + " \"s\"' >&2; exec sleep 600"));
        daemon.destroyForcibly().waitFor();

        String other = "2026-11-28T12:00:00.000 INFO  standing by path=\"" + sign + " s\"";
        EscrowException e = assertThrows(
                EscrowException.class, () -> DaemonProcess.start(shell("printf '%s\\n' '" + other + "' >&2")));
        assertTrue(e.text().endsWith(other), e.text());
    }

    /** The words alone, in another part of a line, are not it. */
    @ParameterizedTest
    @ValueSource(strings = {"Listening on", "Standing by for"})
    void seesThatDaemonWhichLogsJsonIsReady(String sign) throws Exception {
        String ready = "\"message\":\"" + sign + " \\\"s\\\"\"}";
        Process daemon = DaemonProcess.start(shell("echo '{\"time\":\"\"," + ready + "' >&2; exec sleep 600"));
        daemon.destroyForcibly().waitFor();

        String quoted = "{\"message\":\"wrong\",\"reason\":\"\\\"message\\\":\\\"" + sign + " \"}";
        EscrowException e = assertThrows(
                EscrowException.class, () -> DaemonProcess.start(shell("printf '%s\\n' '" + quoted + "' >&2")));
        assertTrue(e.text().endsWith(quoted), e.text());
    }

    @Test
    void saysTheLastWordsOfDaemonThatEnds() {
        EscrowException e = assertThrows(
                EscrowException.class, () -> DaemonProcess.start(shell("echo first >&2; echo 'no room' >&2; exit 1")));

        assertEquals(Status.ECONNREFUSED, e.status());
        assertTrue(e.text().endsWith(" ended before it listened: no room"), e.text());
    }

    @Test
    void saysThatDaemonEndedSilently() {
        EscrowException e = assertThrows(EscrowException.class, () -> DaemonProcess.start(List.of("true")));

        assertTrue(e.text().endsWith(" ended before it listened: it printed nothing"), e.text());
    }

    private static List<String> shell(String script) {
        return List.of("sh", "-c", script);
    }
}
