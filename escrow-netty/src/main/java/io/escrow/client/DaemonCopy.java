package io.escrow.client;

import io.escrow.EscrowException;
import io.escrow.internal.Futures;
import io.escrow.internal.TemporaryDirectory;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A private copy of those jars of this process's class path that a daemon needs. It may be deleted when the daemon
 * listens: the daemon has opened its jars then, and loaded what it needs. So nobody who overwrites or removes the jars
 * of a server touches the daemon, whose command line does not name them either.
 */
final class DaemonCopy implements AutoCloseable {

    /** Each is found in one of the jars that the daemon needs. What is not found is not on the class path. */
    private static final List<String> NEEDED = List.of(
            "io/escrow/daemon/main/Escrowd.class",
            "io/escrow/EscrowException.class",
            "io/netty/util/ReferenceCounted.class",
            "io/netty/buffer/ByteBuf.class",
            "io/netty/channel/Channel.class",
            "io/netty/channel/epoll/Epoll.class",
            "io/netty/channel/unix/Unix.class",
            "io/netty/channel/uring/IoUring.class",
            "io/netty/resolver/AddressResolver.class",
            "io/netty/handler/codec/ByteToMessageDecoder.class",
            "io/netty/handler/codec/compression/ZlibWrapper.class",
            "io/netty/handler/codec/http/HttpServerCodec.class",
            "io/netty/handler/timeout/WriteTimeoutHandler.class",
            "META-INF/native/libnetty_transport_native_epoll_x86_64.so",
            "META-INF/native/libnetty_transport_native_epoll_aarch_64.so",
            "META-INF/native/libnetty_transport_native_io_uring42_x86_64.so",
            "META-INF/native/libnetty_transport_native_io_uring42_aarch_64.so",
            "com/google/gson/Gson.class",
            "picocli/CommandLine.class",
            "io/prometheus/metrics/config/PrometheusProperties.class",
            "io/prometheus/metrics/model/snapshots/MetricSnapshots.class",
            "io/prometheus/metrics/expositionformats/PrometheusTextFormatWriter.class",
            "org/slf4j/Logger.class",
            "ch/qos/logback/core/Context.class",
            "ch/qos/logback/classic/Logger.class");

    private final TemporaryDirectory directory;

    private DaemonCopy(TemporaryDirectory directory) {
        this.directory = directory;
    }

    /**
     * Copies the jars, and the directories of classes as jars, to a directory of this user under {@code java.io.tmpdir}.
     *
     * @throws EscrowException if they can't be read, or there is no room for them
     */
    static DaemonCopy make(ClassLoader loader) throws EscrowException {
        DaemonCopy copy = null;
        boolean made = false;
        try {
            copy = new DaemonCopy(TemporaryDirectory.make());
            copy.fill(loader);
            made = true;
            return copy;
        } catch (IOException | RuntimeException e) {
            throw new EscrowException(
                    Futures.statusOf(e),
                    "the daemon's jars can't be copied to \"" + System.getProperty("java.io.tmpdir")
                            + "\" (java.io.tmpdir): " + e,
                    e);
        } finally {
            if (copy != null && !made) {
                copy.close();
            }
        }
    }

    private void fill(ClassLoader loader) throws IOException {
        int number = 0;
        for (String place : places(loader)) {
            copy(new URL(place), directory.path().resolve(number++ + ".jar"));
        }
    }

    /** Returns the URLs of the jars and directories, as text: URLs are not to be compared. */
    private static Set<String> places(ClassLoader loader) throws IOException {
        Set<String> places = new LinkedHashSet<>();
        for (String name : NEEDED) {
            URL url = loader.getResource(name);
            if (url == null) {
                continue;
            }
            String text = url.toString();
            places.add(
                    url.openConnection() instanceof JarURLConnection jar
                            ? jar.getJarFileURL().toString()
                            : text.substring(0, text.length() - name.length()));
        }
        return places;
    }

    private static void copy(URL place, Path target) throws IOException {
        if ("file".equals(place.getProtocol()) && Files.isDirectory(Path.of(URI.create(place.toString())))) {
            pack(Path.of(URI.create(place.toString())), target);
        } else {
            // Perhaps a jar in a jar, as in those of Spring Boot, whose class loader can read it.
            try (InputStream in = place.openStream()) {
                Files.copy(in, target);
            }
        }
    }

    private static void pack(Path classes, Path jar) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar));
                Stream<Path> files = Files.walk(classes)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(
                        new ZipEntry(classes.relativize(file).toString().replace(File.separatorChar, '/')));
                Files.copy(file, out);
            }
        }
    }

    /** Returns the class path of the copy. */
    String classPath() throws EscrowException {
        try {
            return directory.files().stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator));
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "\"" + directory.path() + "\" can't be listed: " + e, e);
        }
    }

    /** Deletes the copy. */
    @Override
    public void close() {
        directory.close();
    }
}
