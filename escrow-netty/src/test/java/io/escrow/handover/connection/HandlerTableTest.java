package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.NettyLine;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javassist.ClassPool;
import javassist.CtClass;
import javassist.Modifier;
import javassist.NotFoundException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Compares the table of docs/handlers.md with the handlers in the jars of Netty, and with what becomes of them. */
class HandlerTableTest {

    private static final String MOVES = "moves";
    private static final String WAITS = "waits";
    private static final String STAYS = "stays";

    /** Those that a protocol of the library feeds, so that their connections do not stay. */
    private static final Set<String> FRAMED = Set.of(
            "HttpServerCodec",
            "HttpRequestDecoder",
            "HttpResponseEncoder",
            "WebSocket07FrameDecoder",
            "WebSocket08FrameDecoder",
            "WebSocket13FrameDecoder",
            "BinaryMemcacheServerCodec",
            "BinaryMemcacheRequestDecoder",
            "BinaryMemcacheResponseEncoder",
            "MqttDecoder",
            "RedisDecoder",
            "StompSubframeDecoder");

    /** Netty 4.1 has no such handlers, as the page says, and no others than 4.2 has. */
    private static final Set<String> ONLY_IN_4_2 = Set.of(
            "Http3ClientConnectionHandler",
            "Http3ConnectionHandler",
            "Http3FrameToHttpObjectCodec",
            "Http3PushStreamClientInitializer",
            "Http3PushStreamServerInitializer",
            "Http3RequestStreamInboundHandler",
            "Http3RequestStreamInitializer",
            "Http3ServerConnectionHandler",
            "QuicCodecDispatcher",
            "Socks5PrivateAuthRequestDecoder",
            "Socks5PrivateAuthResponseDecoder");

    private record Row(String verdict, String reason) {}

    /** The handlers in the jars, by their simple names. */
    private static final Map<String, CtClass> HANDLERS = new TreeMap<>();

    private static final Map<String, Row> TABLE = new TreeMap<>();

    @BeforeAll
    static void read() throws Exception {
        ClassPool pool = new ClassPool(true);
        List<String> jars = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator, -1))
                .filter(path -> path.matches(".*/netty-[^/]*\\.jar"))
                .toList();
        for (String jar : jars) {
            pool.appendClassPath(jar);
        }
        for (String jar : jars) {
            readHandlers(pool, jar);
        }
        Pattern row = Pattern.compile("\\| (`[^|]*`) \\| ([a-z]+) \\| (.*?) ?\\|");
        for (String line : Files.readAllLines(Path.of("../docs/handlers.md"))) {
            Matcher cells = row.matcher(line);
            if (cells.matches()) {
                for (String name : cells.group(1).replace("`", "").split(" ", -1)) {
                    assertNull(TABLE.put(name, new Row(cells.group(2), cells.group(3))), name + " is there twice");
                }
            }
        }
    }

    private static void readHandlers(ClassPool pool, String path) throws IOException, NotFoundException {
        CtClass handler = pool.get("io.netty.channel.ChannelHandler");
        try (JarFile jar = new JarFile(path)) {
            for (JarEntry entry : (Iterable<JarEntry>) jar.stream()::iterator) {
                if (entry.getName().matches("io/netty/(handler|channel)/.*\\.class")) {
                    try (InputStream in = jar.getInputStream(entry)) {
                        CtClass type = pool.makeClass(in);
                        if (Modifier.isPublic(type.getModifiers()) && isHandler(type, handler)) {
                            String name = type.getSimpleName();
                            assertNull(HANDLERS.put(name, type), "there are two of " + name);
                        }
                    }
                }
            }
        }
    }

    private static boolean isHandler(CtClass type, CtClass handler) {
        try {
            return type.subtypeOf(handler);
        } catch (NotFoundException e) {
            // It extends a class of a library that is not there, which is no handler.
            return false;
        }
    }

    @Test
    void everyHandlerIsInTheTable() {
        Set<String> expected = new TreeSet<>(TABLE.keySet());
        if (!NettyLine.is42()) {
            assertTrue(expected.removeAll(ONLY_IN_4_2));
        }
        assertEquals(new TreeSet<>(HANDLERS.keySet()), expected, "in the jars, and in the table");
    }

    @Test
    void verdictsAreThoseOfTheLibrary() throws Exception {
        List<String> wrong = new ArrayList<>();
        for (Map.Entry<String, CtClass> handler : HANDLERS.entrySet()) {
            Row row = TABLE.get(handler.getKey());
            String verdict = verdict(handler.getValue());
            boolean ofHttp = row.verdict().equals(WAITS) && row.reason().startsWith("HTTP: ");
            // Whatever HTTP waits for has no entry of its own.
            if (!row.verdict().equals(verdict) && !(ofHttp && verdict.equals(MOVES))) {
                wrong.add(handler.getKey() + ": " + row.verdict() + " (really: " + verdict + ")");
            }
        }
        assertEquals(List.of(), wrong);
    }

    private static String verdict(CtClass handler) throws NotFoundException {
        Set<String> asked = HandlerInspector.OF_NETTY.questions().stream()
                .map(HandlerInspector.Question::type)
                .collect(Collectors.toSet());
        boolean waits = false;
        for (CtClass c = handler; c != null; c = c.getSuperclass()) {
            String reason = ImmovableHandlers.ofNetty().get(c.getName());
            if (reason != null) {
                return FRAMED.contains(handler.getSimpleName()) ? WAITS : STAYS;
            }
            waits |= asked.contains(c.getName()) || WriteTracker.OF_NETTY.contains(c.getName());
        }
        return waits ? WAITS : MOVES;
    }

    @Test
    void everyReasonIsGiven() {
        TABLE.forEach((name, row) -> {
            if (!row.verdict().equals(MOVES)) {
                assertEquals(false, row.reason().isBlank(), name);
            }
        });
    }
}
