package io.escrow.daemon.main;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** A manual page, in the language of man(7), of a command line and its subcommands. */
final class ManualPage {

    private static final Map<String, String> ENVIRONMENT = Map.of(
            "ESCROW_PATH", "The path of the socket when none is given.",
            "ESCROW_JAVA", "The Java to run with, 17 or later; else the one of JAVA_HOME, else that of PATH.",
            "ESCROW_JAVA_OPTS", "Further options for Java, separated by spaces.");

    private final StringBuilder page = new StringBuilder();
    private final CommandSpec command;
    private final String other;

    /**
     * Prepares a page.
     *
     * @param other the page to see also
     */
    ManualPage(CommandLine program, String version, String date, String other) {
        this.command = program.getCommandSpec();
        this.other = other;
        line(".TH " + command.name().toUpperCase(Locale.ROOT) + " 1 \"" + date + "\" \"escrow " + version
                + "\" \"Manual of escrow\"");
    }

    String text() {
        section("Name");
        String summary = String.join(" ", command.usageMessage().description());
        line(escape(command.name()) + " \\- "
                + escape(summary.substring(0, 1).toLowerCase(Locale.ROOT) + summary.substring(1))
                        .replaceFirst("\\.$", ""));
        section("Synopsis");
        synopsis(command);
        section("Options");
        arguments(command);
        if (!command.subcommands().isEmpty()) {
            section("Commands");
            command.subcommands().values().forEach(subcommand -> subcommand(subcommand.getCommandSpec()));
        }
        footer();
        section("Environment");
        ENVIRONMENT.entrySet().stream().sorted(Map.Entry.comparingByKey()).forEach(variable -> {
            tagged(bold(variable.getKey()));
            line(escape(variable.getValue()));
        });
        exitStatus();
        section("See also");
        line(".BR " + other + " (1)");
        return page.toString();
    }

    private void subcommand(CommandSpec subcommand) {
        line(".SS " + escape(subcommand.name()));
        synopsis(subcommand);
        for (String paragraph : subcommand.usageMessage().description()) {
            line(".PP");
            line(escape(paragraph));
        }
        arguments(subcommand);
    }

    private void synopsis(CommandSpec spec) {
        String[] custom = spec.usageMessage().customSynopsis();
        String usage = custom.length > 0
                ? String.join(" ", custom)
                : new Help(spec, Help.defaultColorScheme(Help.Ansi.OFF)).synopsis(0);
        // The program is the subcommand of another one, too, whose name picocli puts before its own.
        String words =
                usage.replaceFirst("^escrowd (ctl|escrowctl)\\b", "escrowctl").replaceAll("\\s+", " ");
        line(bold(words.substring(0, words.indexOf(' ')))
                + escape(words.substring(words.indexOf(' '))).stripTrailing());
    }

    private void arguments(CommandSpec spec) {
        Stream.<ArgSpec>concat(spec.options().stream(), spec.positionalParameters().stream())
                .filter(argument -> !argument.hidden())
                .forEach(argument -> {
                    tagged(argument instanceof OptionSpec option ? names(option) : italic(label(argument)));
                    for (String text : argument.description()) {
                        line(escape(text));
                    }
                });
    }

    private static String names(OptionSpec option) {
        String names = Stream.of(option.names()).map(ManualPage::bold).collect(Collectors.joining(", "));
        return option.arity().max() == 0 ? names : names + "=" + italic(label(option));
    }

    private static String label(ArgSpec argument) {
        return argument instanceof PositionalParamSpec && argument.arity().min() == 0
                ? "[" + argument.paramLabel() + "]"
                : argument.paramLabel();
    }

    private void footer() {
        List<String> notes = new ArrayList<>(List.of(command.usageMessage().footer()));
        notes.removeIf(String::isBlank);
        if (!notes.isEmpty()) {
            section("Notes");
            notes.forEach(note -> line(escape(note)));
        }
    }

    /** Tells the exit status, of the command itself or, when it only gathers subcommands, of these. */
    private void exitStatus() {
        Map<String, String> codes = Stream.concat(
                        Stream.of(command),
                        command.subcommands().values().stream().map(CommandLine::getCommandSpec))
                .map(spec -> spec.usageMessage().exitCodeList())
                .filter(list -> !list.isEmpty())
                .findFirst()
                .orElse(Map.of());
        section("Exit status");
        codes.forEach((code, meaning) -> {
            tagged(bold(code.trim()));
            line(escape(meaning));
        });
    }

    private void section(String title) {
        line(".SH " + title.toUpperCase(Locale.ROOT));
    }

    private void tagged(String tag) {
        line(".TP");
        line(tag);
    }

    private void line(String text) {
        page.append(text).append('\n');
    }

    private static String bold(String text) {
        return "\\fB" + escape(text) + "\\fR";
    }

    private static String italic(String text) {
        return "\\fI" + escape(text) + "\\fR";
    }

    /** Keeps man(7) from taking anything for a request, an escape, or a hyphen that may be broken. */
    private static String escape(String text) {
        String escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq");
        return escaped.startsWith(".") ? "\\&" + escaped : escaped;
    }
}
