package io.escrow.examples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * How much a Java process uses at one moment.
 *
 * @param memoryKb what it has in memory, in units of 1,024 bytes
 * @param heapKb what is alive in its heap, in the same units, or -1 when there is no {@code jcmd} to ask
 * @param descriptors how many descriptors it has open
 */
record ProcessSize(long memoryKb, long heapKb, long descriptors) {

    private static final int UNIT = 1024;

    private static final Path JCMD = Path.of(System.getProperty("java.home"), "bin", "jcmd");

    /** Measures a process, after it has collected its garbage. */
    static ProcessSize of(long pid) throws IOException {
        // The heap first: being asked for the first time, a process opens a socket for it.
        long heapKb = Files.isExecutable(JCMD) ? liveHeapKb(pid) : -1;
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            return new ProcessSize(memoryKb(pid), heapKb, descriptors.count());
        }
    }

    /** Returns what a process has in memory, in units of 1,024 bytes. */
    static long memoryKb(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .map(line -> line.replaceAll("\\D", ""))
                .mapToLong(Long::parseLong)
                .findFirst()
                .orElseThrow(() -> new IOException("no VmRSS in the status of process " + pid));
    }

    private static long liveHeapKb(long pid) throws IOException {
        Process jcmd = new ProcessBuilder(JCMD.toString(), Long.toString(pid), "GC.class_histogram")
                .redirectErrorStream(true)
                .start();
        // The last line: "Total  INSTANCES  BYTES".
        try (Stream<String> lines = jcmd.inputReader().lines()) {
            String total = lines.filter(line -> line.startsWith("Total"))
                    .findFirst()
                    .orElseThrow(() -> new IOException("process " + pid + " does not tell what is in its heap"));
            return Long.parseLong(total.trim().split("\\s+", -1)[2]) / UNIT;
        }
    }
}
