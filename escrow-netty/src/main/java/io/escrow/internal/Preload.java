package io.escrow.internal;

import io.escrow.EscrowException;
import io.netty.bootstrap.AbstractBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.Unix;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.resolver.AddressResolver;
import io.netty.util.ReferenceCounted;
import io.netty.util.collection.IntObjectMap;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.internal.PlatformDependent;
import io.netty.util.internal.logging.InternalLogger;
import java.io.IOException;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads classes before they are needed. When a jar is overwritten in place, a process that runs from it can't load any
 * further class, and would fail at the moment when it hands over. Used by one thread.
 *
 * <p>What can't be loaded is left out: most likely it needs a library that this process does not have.
 */
public final class Preload {

    private static final Logger logger = LoggerFactory.getLogger(Preload.class);

    private static final String CLASS = ".class";

    /** A class of each package of Netty that a handover or a daemon needs. */
    private static final List<Class<?>> NETTY = List.of(
            ByteBuf.class,
            ReferenceCounted.class,
            IntObjectMap.class,
            EventExecutor.class,
            PlatformDependent.class,
            InternalLogger.class,
            Channel.class,
            DuplexChannel.class,
            AbstractBootstrap.class,
            Epoll.class,
            Unix.class,
            AddressResolver.class,
            ByteToMessageDecoder.class);

    /** What each place has, by its URL: a jar that holds everything is read once. */
    private final Map<String, List<String>> places = new HashMap<>();

    private int loaded;

    /** Prepares to load classes. */
    public Preload() {}

    /** Returns how many classes this has loaded, or found loaded. */
    public int loaded() {
        return loaded;
    }

    /**
     * Loads the classes of Netty that a handover or a daemon can need.
     *
     * @return this
     */
    public Preload netty() {
        NETTY.forEach(this::packageOf);
        return packageWith("io.netty.channel.uring.IoUring")
                // The queues of event loops; an event loop that ends iterates over its own.
                .packageWith("io.netty.util.internal.shaded.org.jctools.queues.BaseMpscLinkedArrayQueue");
    }

    /**
     * Loads the classes of the library that a client can need.
     *
     * @return this
     */
    public Preload client() {
        return packageOf(EscrowException.class)
                .initialize(Preload.class, "io.escrow.internal")
                .initialize(Preload.class, "io.escrow.codec")
                .initialize(Preload.class, "io.escrow.client");
    }

    /**
     * Loads the classes with which this process logs, and those that tell of an exception.
     *
     * @return this
     */
    public Preload logging() {
        return packagesBelow(Logger.class, Logger.class.getPackageName())
                .packagesBelow(logger.getClass(), logger.getClass().getPackageName())
                .packageWith("ch.qos.logback.core.pattern.SpacePadder");
    }

    /**
     * Loads all classes of a package, without initializing them.
     *
     * @param member a class of the package
     * @return this
     */
    public Preload packageOf(Class<?> member) {
        String prefix = member.getPackageName() + ".";
        return load(member, name -> name.startsWith(prefix) && name.indexOf('.', prefix.length()) < 0, false);
    }

    /**
     * Loads all classes of a package, without initializing them, if one of them is there.
     *
     * @param member the name of a class of the package
     * @return this
     */
    public Preload packageWith(String member) {
        try {
            return packageOf(Class.forName(member, false, Preload.class.getClassLoader()));
        } catch (ClassNotFoundException | LinkageError e) {
            return this;
        }
    }

    /**
     * Loads all classes of a package and of the packages below it, without initializing them.
     *
     * @param member a class of the jar or directory to look in, and of the class loader
     * @param name the name of the package
     * @return this
     */
    public Preload packagesBelow(Class<?> member, String name) {
        return load(member, each -> each.startsWith(name + "."), false);
    }

    /**
     * Loads all classes of a package and of the packages below it, and initializes them.
     *
     * @param member a class of the jar or directory to look in, and of the class loader
     * @param name the name of the package
     * @return this
     */
    public Preload initialize(Class<?> member, String name) {
        return load(member, each -> each.startsWith(name + "."), true);
    }

    /**
     * Loads classes by their names, without initializing them.
     *
     * @param names the names
     */
    public void classes(List<String> names) {
        names.forEach(name -> load(name, Preload.class.getClassLoader(), false));
    }

    private Preload load(Class<?> member, Predicate<String> wanted, boolean initialize) {
        try {
            for (String name : namesBeside(member)) {
                if (wanted.test(name)) {
                    load(name, member.getClassLoader(), initialize);
                }
            }
        } catch (IOException | RuntimeException e) {
            logger.debug("the classes beside {} are not loaded ahead: {}", member.getName(), e.toString());
        }
        return this;
    }

    private void load(String name, ClassLoader loader, boolean initialize) {
        try {
            Class.forName(name, initialize, loader);
            loaded++;
        } catch (ClassNotFoundException | LinkageError e) {
            logger.trace("class {} is not loaded ahead: {}", name, e.toString());
        }
    }

    /** Returns the names of all classes in the jar or directory that a class comes from. */
    private List<String> namesBeside(Class<?> member) throws IOException {
        String file = member.getName().replace('.', '/') + CLASS;
        URL url = member.getResource("/" + file);
        if (url == null || !url.toString().endsWith(file)) {
            return List.of();
        }
        String place = url.toString().substring(0, url.toString().length() - file.length());
        List<String> names = places.get(place);
        if (names == null) {
            names = url.openConnection() instanceof JarURLConnection jar ? namesIn(jar) : namesIn(place);
            places.put(place, names);
        }
        return names;
    }

    private static List<String> namesIn(JarURLConnection connection) throws IOException {
        connection.setUseCaches(false);
        try (JarFile jar = connection.getJarFile()) {
            return classNames(jar.stream().map(ZipEntry::getName));
        }
    }

    private static List<String> namesIn(String directory) throws IOException {
        URI place = URI.create(directory);
        if (!"file".equals(place.getScheme())) {
            return List.of();
        }
        Path root = Path.of(place);
        try (Stream<Path> files = Files.walk(root)) {
            return classNames(files.map(file -> root.relativize(file).toString()));
        }
    }

    private static List<String> classNames(Stream<String> files) {
        return files.filter(
                        file -> file.endsWith(CLASS) && !file.startsWith("META-INF") && !file.endsWith("-info" + CLASS))
                .map(file -> file.substring(0, file.length() - CLASS.length()).replace('/', '.'))
                .toList();
    }
}
