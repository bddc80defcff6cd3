package io.escrow.docs;

import static java.util.stream.Collectors.joining;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * The snippets of one file: the blocks of Java of a Markdown page, or the preformatted code in javadoc. They are compiled
 * together, so that one may use the classes of another.
 */
final class Snippets {

    /** What follows this comment happens when the server is to end. */
    private static final String ON_SIGTERM = "// on SIGTERM:";

    private static final Path ROOT = Path.of("..");
    private static final Pattern MARKDOWN = Pattern.compile("^```java\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE);
    /** Lines of a source, which its own module compiles: there are libraries that this one does not have. */
    private static final Pattern QUOTE =
            Pattern.compile("^```java of (\\S+)\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE);

    private static final Pattern JAVADOC =
            Pattern.compile("<pre>\\{@code\n(.*?)^ *\\* }</pre>", Pattern.DOTALL | Pattern.MULTILINE);
    /** A block that begins in another way, a statement in an indented block. */
    private static final Pattern UNMARKED = Pattern.compile("^ *```.*[Jj]ava|^    .*; *(//.*)?$");

    private static final Pattern UNUSUAL_JAVADOC = Pattern.compile("<pre>\\{@code|<pre><code>|\\{@snippet");
    private static final Pattern TYPES =
            Pattern.compile("^(public |final |abstract |sealed )*(class|interface|record|enum) ", Pattern.MULTILINE);
    private static final Pattern METHODS = Pattern.compile("^(public |private )?static ", Pattern.MULTILINE);

    /** On one line, so that the lines of a snippet can have the numbers that they have in their file. */
    private static final String IMPORTS = Stream.of(
                    "static java.nio.charset.StandardCharsets.UTF_8",
                    "java.net.InetSocketAddress",
                    "java.nio.file.Path",
                    "java.time.Duration",
                    "java.util.LinkedHashMap",
                    "java.util.List",
                    "java.util.Map",
                    "java.util.concurrent.CompletionException",
                    "java.util.concurrent.TimeUnit",
                    "io.escrow.*",
                    "io.escrow.client.*",
                    "io.escrow.docs.SnippetNames",
                    "io.escrow.handover.*",
                    "io.escrow.handover.micrometer.*",
                    "io.escrow.handover.protocol.*",
                    "io.escrow.handover.tls.*",
                    "io.micrometer.core.instrument.MeterRegistry",
                    "io.netty.bootstrap.ServerBootstrap",
                    "io.netty.buffer.ByteBuf",
                    "io.netty.channel.*",
                    "io.netty.channel.epoll.EpollSocketChannel",
                    "io.netty.handler.codec.ReplayingDecoder",
                    "io.netty.handler.codec.http.websocketx.extensions.*",
                    "io.netty.handler.codec.http.websocketx.extensions.compression.*",
                    "io.netty.util.AttributeKey")
            .map(name -> "import " + name + "; ")
            .collect(joining());

    private final String file;
    private final String text;

    private Snippets(String file, String text) {
        this.file = file;
        this.text = text;
    }

    /**
     * Reads a file.
     *
     * @param file its path below the root of the project
     */
    static Snippets of(String file) throws IOException {
        return new Snippets(file, Files.readString(ROOT.resolve(file)));
    }

    /** Reads all files that are shown to users: the pages, and the sources with their javadoc. */
    static List<Snippets> all() throws IOException {
        Path root = ROOT.toRealPath();
        List<Snippets> all = new ArrayList<>();
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
                String name = directory.getFileName().toString();
                boolean made = !directory.equals(root) && (name.equals("target") || name.startsWith("."));
                return made ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
                String file = root.relativize(path).toString();
                if (file.endsWith(".md") || file.matches("[^/]+/src/main/java/.*\\.java")) {
                    all.add(of(file));
                }
                return FileVisitResult.CONTINUE;
            }
        });
        return all;
    }

    /** Returns the lines in which there is Java that is not in a snippet, and so would not be compiled. */
    List<String> javaElsewhere() {
        String rest = QUOTE.matcher(blocks().matcher(text).replaceAll("")).replaceAll("");
        return rest.lines()
                .filter(line -> (isMarkdown() ? UNMARKED : UNUSUAL_JAVADOC)
                        .matcher(line)
                        .find())
                .map(line -> file + ": " + line)
                .toList();
    }

    /** Returns the lines that are quoted from a source, and are not in it, or in another order. */
    List<String> misquoted() throws IOException {
        List<String> wrong = new ArrayList<>();
        Matcher quote = QUOTE.matcher(text);
        while (quote.find()) {
            List<String> source = Files.readString(ROOT.resolve(quote.group(1)))
                    .lines()
                    .map(String::strip)
                    .toList();
            int next = 0;
            for (String line : quote.group(2)
                    .lines()
                    .map(String::strip)
                    .filter(line -> !line.isEmpty())
                    .toList()) {
                int found = source.subList(next, source.size()).indexOf(line);
                if (found < 0) {
                    wrong.add(file + ": " + line);
                } else {
                    next += found + 1;
                }
            }
        }
        return wrong;
    }

    /** Returns these snippets with another text in place of one that is shown. */
    Snippets with(String shown, String instead) {
        return new Snippets(file, text.replace(shown, instead));
    }

    private boolean isMarkdown() {
        return file.endsWith(".md");
    }

    /** Returns whether there are any. */
    boolean any() {
        return !snippets().isEmpty();
    }

    private Pattern blocks() {
        return isMarkdown() ? MARKDOWN : JAVADOC;
    }

    private List<Snippet> snippets() {
        List<Snippet> snippets = new ArrayList<>();
        Matcher block = blocks().matcher(text);
        while (block.find()) {
            int line = 1 + (int) text.substring(0, block.start(1)).lines().count();
            String code = isMarkdown() ? block.group(1) : block.group(1).replaceAll("(?m)^ *\\* ?", "");
            snippets.add(new Snippet(line, code));
        }
        return snippets;
    }

    /**
     * Compiles all snippets, and fails with the file, the line and the message of the compiler for each error.
     *
     * @param directory where the classes go
     * @return the classes; those that are not declared by a snippet are named as {@link #className} says
     */
    ClassLoader compile(Path directory) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> problems = new DiagnosticCollector<>();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(problems, null, null)) {
            List<String> options = List.of(
                    "--release=17",
                    "-proc:none",
                    "-Xlint:deprecation",
                    "-Werror",
                    "-cp",
                    System.getProperty("java.class.path"),
                    "-d",
                    directory.toString());
            List<JavaFileObject> sources = snippets().stream().map(this::source).toList();
            compiler.getTask(null, files, problems, options, null, sources).call();
        }
        assertEquals("", problems.getDiagnostics().stream().map(this::describe).collect(joining("\n")));
        return new URLClassLoader(new URL[] {directory.toUri().toURL()}, Snippets.class.getClassLoader());
    }

    private String describe(Diagnostic<? extends JavaFileObject> problem) {
        return file + ":" + problem.getLineNumber() + ": " + problem.getMessage(Locale.ENGLISH);
    }

    /** Returns the name of the class of the only snippet that has a text, which is one of statements or methods. */
    String className(String part) {
        List<Snippet> found =
                snippets().stream().filter(each -> each.code.contains(part)).toList();
        assertEquals(1, found.size(), () -> file + " has more or less than one snippet with: " + part);
        return found.get(0).className();
    }

    /** The line where it begins in its file, and its text. */
    private record Snippet(int line, String code) {

        String className() {
            return "Snippet" + line;
        }

        /** Returns the text as a compilation unit, in which its lines have the numbers that they have in the file. */
        String source() {
            String lines = "\n".repeat(line - 1) + code;
            if (TYPES.matcher(code).find()) {
                return IMPORTS + lines;
            }
            String head = IMPORTS + "public class " + className();
            if (METHODS.matcher(code).find()) {
                return head + " {" + lines + "}";
            }
            return head + " extends SnippetNames { public void run() throws Exception {" + serving(lines) + "}}";
        }

        private static String serving(String statements) {
            String use = "whileServing.use(server);";
            if (!statements.contains("ServerHandover server = ")) {
                return statements;
            }
            return statements.contains(ON_SIGTERM) ? statements.replace(ON_SIGTERM, use) : statements + use;
        }
    }

    private JavaFileObject source(Snippet snippet) {
        URI name = URI.create("snippet:/" + snippet.className() + ".java");
        return new SimpleJavaFileObject(name, JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                return snippet.source();
            }

            @Override
            public boolean isNameCompatible(String simpleName, JavaFileObject.Kind kind) {
                // A snippet may declare several classes, of any name.
                return !simpleName.endsWith("-info");
            }
        };
    }

    @Override
    public String toString() {
        return file;
    }
}
