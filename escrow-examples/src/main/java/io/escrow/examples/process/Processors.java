package io.escrow.examples.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Divides the processors of the machine, so that a benchmark's clients do not take those of its servers. Needs {@code taskset} of
 * util-linux, and three processors.
 *
 * @param clients the numbers of the processors of this process; empty if they are not divided
 * @param servers the numbers of the processors of others
 * @param description says what is where, or why not
 */
public record Processors(List<Integer> clients, List<Integer> servers, String description) {

    private static final int LEAST = 3;

    /** Of so many processors, one is the clients'. */
    private static final int SHARE = 4;

    private static final String ALLOWED = "Cpus_allowed_list:";

    /** Divides what this process may use. */
    public static Processors divide() throws IOException {
        List<Integer> allowed = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith(ALLOWED)) {
                allowed = parse(line.substring(ALLOWED.length()).strip());
            }
        }
        return divide(allowed, Files.isExecutable(Path.of("/usr/bin/taskset")));
    }

    static Processors divide(List<Integer> allowed, boolean taskset) {
        if (allowed.size() < LEAST || !taskset) {
            String why = taskset ? "there are " + allowed.size() : "there is no /usr/bin/taskset";
            return new Processors(List.of(), List.of(), "clients and servers share all processors: " + why);
        }
        int cut = allowed.size() - Math.max(1, allowed.size() / SHARE);
        List<Integer> servers = List.copyOf(allowed.subList(0, cut));
        List<Integer> clients = List.copyOf(allowed.subList(cut, allowed.size()));
        return new Processors(
                clients,
                servers,
                "clients on processor " + list(clients) + ", servers and escrowd on " + list(servers));
    }

    /** Reads a list as the kernel writes it, such as 0-2,5. */
    static List<Integer> parse(String list) {
        List<Integer> numbers = new ArrayList<>();
        for (String part : list.split(",", -1)) {
            String[] ends = part.split("-", -1);
            int last = Integer.parseInt(ends[ends.length - 1]);
            for (int i = Integer.parseInt(ends[0]); i <= last; i++) {
                numbers.add(i);
            }
        }
        return numbers;
    }

    private static String list(List<Integer> numbers) {
        return numbers.stream().map(String::valueOf).collect(Collectors.joining(","));
    }

    /** Returns what to put before the command line of a server. */
    List<String> prefix() {
        return servers.isEmpty() ? List.of() : List.of("/usr/bin/taskset", "-c", list(servers));
    }

    /** Moves all threads of this process to the processors of the clients. Threads that are started later follow. */
    public void bindClients() throws IOException, InterruptedException {
        if (!clients.isEmpty()) {
            Process bound = new ProcessBuilder(
                            "/usr/bin/taskset",
                            "-a",
                            "-c",
                            "-p",
                            list(clients),
                            String.valueOf(ProcessHandle.current().pid()))
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (bound.waitFor() != 0) {
                throw new IOException("taskset could not move the clients to the processors " + list(clients));
            }
        }
    }
}
