package io.escrow.daemon.main;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import picocli.AutoComplete;
import picocli.CommandLine;

/**
 * Writes what the packages say about the programs, from their command lines: manual pages and the completion of bash; and
 * the compressed copies that Debian wants.
 */
final class Manual {

    private static final DateTimeFormatter DEBIAN_DATE =
            DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss xx", Locale.ROOT);

    private final Path directory;

    private Manual(Path directory) {
        this.directory = directory;
    }

    /**
     * Writes all files.
     *
     * @param args the directory for them, the version, when it was made, and the changelog
     */
    public static void main(String[] args) throws IOException {
        OffsetDateTime date = OffsetDateTime.parse(args[2]);
        Manual manual = new Manual(Path.of(args[0]));
        manual.describe(escrowd(), args[1], date, "escrowctl");
        manual.describe(escrowctl(), args[1], date, "escrowd");
        manual.complete("escrowd", Escrowd.commandLine(true));
        manual.complete("escrowctl", escrowctl());
        manual.compress("changelog.gz", Files.readString(Path.of(args[3])));
        manual.compress("changelog.Debian.gz", debianChangelog(args[1], date));
    }

    static CommandLine escrowd() {
        return Escrowd.commandLine(false);
    }

    static CommandLine escrowctl() {
        return Escrowd.commandLine(true).getSubcommands().get("ctl").setCommandName("escrowctl");
    }

    private void describe(CommandLine program, String version, OffsetDateTime date, String other) throws IOException {
        String name = "man/" + program.getCommandName() + ".1";
        String page = new ManualPage(program, version, date.toLocalDate().toString(), other).text();
        write(name, page.getBytes(UTF_8));
        compress(name + ".gz", page);
    }

    private void complete(String name, CommandLine program) throws IOException {
        // It is read by a shell, not run.
        String script = AutoComplete.bash(name, program).replaceFirst("^#!.*\n", "");
        write("completions/" + name, script.getBytes(UTF_8));
    }

    private static String debianChangelog(String version, OffsetDateTime date) {
        return String.join(
                "\n",
                List.of(
                        "escrowd (" + version.replace("-SNAPSHOT", "~SNAPSHOT") + ") unstable; urgency=medium",
                        "",
                        "  * What changed is in changelog.gz.",
                        "",
                        " -- escrow maintainers <maintainers@escrow.example>  " + date.format(DEBIAN_DATE),
                        ""));
    }

    /** Writes what {@code gzip -9n} would. */
    private void compress(String name, String text) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream gzip = new GZIPOutputStream(bytes) {
            {
                def.setLevel(Deflater.BEST_COMPRESSION);
            }
        }) {
            gzip.write(text.getBytes(UTF_8));
        }
        byte[] compressed = bytes.toByteArray();
        compressed[8] = 2; // XFL of RFC 1952: maximum compression
        write(name, compressed);
    }

    private void write(String name, byte[] content) throws IOException {
        Path file = directory.resolve(name);
        Files.createDirectories(file.getParent());
        Files.write(file, content);
    }
}
