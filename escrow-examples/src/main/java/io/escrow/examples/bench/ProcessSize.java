package io.escrow.examples.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The memory and the descriptors of a Java process.
 *
 * @param memoryKb the resident memory, in units of 1,024 bytes
 * @param heapKb the live heap in the same units, or -1 if there is no {@code jcmd} to measure it
 * @param descriptors the number of open descriptors
 */
record ProcessSize(long memoryKb, long heapKb, long descriptors) {

    private static final int UNIT = 1024;
    private static final int COUNTS = 5;
    private static final int BETWEEN_COUNTS_MILLIS = 20;

    private static final Path JCMD = Path.of(System.getProperty("java.home"), "bin", "jcmd");

    /** Measures a process, after a garbage collection. */
    static ProcessSize of(long pid) throws IOException, InterruptedException {
        // The heap comes first: a process opens a socket when jcmd connects for the first time.
        long heapKb = Files.isExecutable(JCMD) ? liveHeapKb(pid) : -1;
        return new ProcessSize(memoryKb(pid), heapKb, descriptors(pid));
    }

    /** Returns the lowest of several counts: a process closes its connection to jcmd some time after it has answered. */
    private static long descriptors(long pid) throws IOException, InterruptedException {
        long lowest = Long.MAX_VALUE;
        for (int count = 0; count < COUNTS; count++) {
            TimeUnit.MILLISECONDS.sleep(BETWEEN_COUNTS_MILLIS);
            try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + pid + "/fd"))) {
                lowest = Math.min(lowest, descriptors.count());
            }
        }
        return lowest;
    }

    /** Returns the resident memory of a process, in units of 1,024 bytes. */
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
                    .orElseThrow(() -> new IOException("jcmd printed no total for the heap of process " + pid));
            return Long.parseLong(total.trim().split("\\s+", -1)[2]) / UNIT;
        }
    }
}
