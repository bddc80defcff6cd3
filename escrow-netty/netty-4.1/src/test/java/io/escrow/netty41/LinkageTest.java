package io.escrow.netty41;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.escrow.EscrowException;
import io.escrow.testing.NettyLine;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import javassist.ClassPool;
import javassist.CtClass;
import javassist.NotFoundException;
import javassist.bytecode.ConstPool;
import javassist.bytecode.Descriptor;
import org.junit.jupiter.api.Test;

/** Looks for each class, method and field of Netty that the library refers to in the jars of Netty 4.1. */
class LinkageTest {

    /** The classes of the library that are loaded with Netty 4.2 only. */
    private static final Set<String> ONLY_WITH_4_2 =
            Set.of("io.escrow.codec.DescriptorRing", "io.escrow.internal.EpollLoops$HandlerLoops");

    private final ClassPool pool = new ClassPool(true);
    private final Set<String> missing = new TreeSet<>();

    @Test
    void theTestsRunWithNetty41() {
        assertFalse(NettyLine.is42());
    }

    @Test
    void whatTheLibraryRefersToIsThere() throws Exception {
        int classes = 0;
        for (String name : classesOfTheLibrary()) {
            if (ONLY_WITH_4_2.stream().noneMatch(only -> name.equals(only) || name.startsWith(only + "$"))) {
                check(name, pool.get(name).getClassFile().getConstPool());
                classes++;
            }
        }
        assertEquals(Set.of(), missing, "not in Netty 4.1, and referred to by");
        assertFalse(classes < 100, classes + " classes");
    }

    private static Set<String> classesOfTheLibrary() throws Exception {
        Path place = Path.of(EscrowException.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        if (Files.isDirectory(place)) {
            return classesBelow(place);
        }
        try (FileSystem jar = FileSystems.newFileSystem(place)) {
            return classesBelow(jar.getPath("/"));
        }
    }

    private static Set<String> classesBelow(Path root) throws IOException {
        Set<String> names = new TreeSet<>();
        try (Stream<Path> files = Files.walk(root)) {
            files.map(file -> root.relativize(file).toString())
                    .filter(file -> file.endsWith(".class") && !file.endsWith("package-info.class"))
                    .forEach(file -> names.add(
                            file.substring(0, file.length() - ".class".length()).replace('/', '.')));
        }
        return names;
    }

    private void check(String user, ConstPool constants) {
        for (int i = 1; i < constants.getSize(); i++) {
            switch (constants.getTag(i)) {
                case ConstPool.CONST_Class -> checkClass(user, constants.getClassInfo(i));
                case ConstPool.CONST_Fieldref ->
                    checkMember(
                            user,
                            constants.getFieldrefClassName(i),
                            constants.getFieldrefName(i),
                            constants.getFieldrefType(i));
                case ConstPool.CONST_Methodref ->
                    checkMember(
                            user,
                            constants.getMethodrefClassName(i),
                            constants.getMethodrefName(i),
                            constants.getMethodrefType(i));
                case ConstPool.CONST_InterfaceMethodref ->
                    checkMember(
                            user,
                            constants.getInterfaceMethodrefClassName(i),
                            constants.getInterfaceMethodrefName(i),
                            constants.getInterfaceMethodrefType(i));
                default -> {}
            }
        }
    }

    private void checkClass(String user, String name) {
        String element = name.startsWith("[") ? Descriptor.toClassName(name).replace("[]", "") : name;
        if (isOfNetty(element) && pool.getOrNull(element) == null) {
            missing.add(element + ": " + user);
        }
    }

    private void checkMember(String user, String owner, String name, String type) {
        if (!isOfNetty(owner)) {
            return;
        }
        try {
            CtClass declaring = pool.get(owner);
            if (!type.startsWith("(")) {
                declaring.getField(name, type);
            } else if (name.equals("<init>")) {
                declaring.getConstructor(type);
            } else {
                declaring.getMethod(name, type);
            }
        } catch (NotFoundException e) {
            missing.add(owner + "." + name + type + ": " + user);
        }
    }

    private static boolean isOfNetty(String name) {
        return name.startsWith("io.netty.");
    }
}
