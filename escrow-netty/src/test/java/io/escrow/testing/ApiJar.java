package io.escrow.testing;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javassist.bytecode.AccessFlag;
import javassist.bytecode.AttributeInfo;
import javassist.bytecode.BootstrapMethodsAttribute;
import javassist.bytecode.ClassFile;
import javassist.bytecode.InnerClassesAttribute;

/**
 * Writes the baseline of a module's public API: its classes without code, private members and what a debugger needs. The
 * baseline is small, and the same classes give the same bytes. See CONTRIBUTING.md.
 */
final class ApiJar {

    private ApiJar() {}

    /**
     * Writes a jar.
     *
     * @param args the directory of the classes, the jar, and the internal packages, separated by colons
     */
    public static void main(String[] args) throws IOException {
        Path classes = Path.of(args[0]);
        Path jar = Path.of(args[1]);
        Set<String> internal =
                Arrays.stream(args[2].split(":")).map(String::trim).collect(Collectors.toSet());
        Files.createDirectories(jar.getParent());
        try (Stream<Path> files = Files.walk(classes);
                ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
            files.filter(file -> file.toString().endsWith(".class")).sorted().forEach(file -> add(file, internal, out));
        }
    }

    private static void add(Path file, Set<String> internal, ZipOutputStream out) {
        try (InputStream in = Files.newInputStream(file)) {
            ClassFile type = new ClassFile(new DataInputStream(in));
            String name = type.getName();
            if (internal.contains(name.substring(0, name.lastIndexOf('.'))) || isAnonymous(type)) {
                return;
            }
            strip(type);
            ZipEntry entry = new ZipEntry(name.replace('.', '/') + ".class");
            entry.setTimeLocal(LocalDateTime.of(1980, 1, 1, 0, 0));
            out.putNextEntry(entry);
            type.write(new DataOutputStream(out));
        } catch (IOException e) {
            throw new UncheckedIOException("\"" + file + "\" can't be added: " + e.getMessage(), e);
        }
    }

    private static boolean isAnonymous(ClassFile type) {
        AttributeInfo inner = type.getAttribute(InnerClassesAttribute.tag);
        return inner instanceof InnerClassesAttribute classes
                && classes.find(type.getName()) >= 0
                && classes.innerName(classes.find(type.getName())) == null;
    }

    private static void strip(ClassFile type) {
        type.getMethods().removeIf(method -> !isVisible(method.getAccessFlags()));
        type.getFields().removeIf(field -> !isVisible(field.getAccessFlags()));
        type.getMethods().forEach(method -> method.removeCodeAttribute());
        // The constants of lambdas.
        type.removeAttribute(BootstrapMethodsAttribute.tag);
        type.compact();
    }

    private static boolean isVisible(int flags) {
        return AccessFlag.isPublic(flags) || AccessFlag.isProtected(flags);
    }
}
