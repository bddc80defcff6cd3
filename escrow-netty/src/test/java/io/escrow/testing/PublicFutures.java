package io.escrow.testing;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;

/** Finds the futures that a package gives to its users, and checks how they end. */
public final class PublicFutures {

    private PublicFutures() {}

    /** Returns the public methods of a package's public classes that return a stage, in the order of their signatures. */
    public static List<Method> ofPackageOf(Class<?> member) {
        List<Method> methods = new ArrayList<>();
        for (Class<?> type : publicClasses(member)) {
            Arrays.stream(type.getDeclaredMethods())
                    .filter(method -> Modifier.isPublic(method.getModifiers()) && !method.isSynthetic())
                    .filter(method -> CompletionStage.class.isAssignableFrom(method.getReturnType()))
                    .forEach(methods::add);
        }
        methods.sort(Comparator.comparing(Method::toGenericString));
        return methods;
    }

    private static List<Class<?>> publicClasses(Class<?> member) {
        String name = member.getPackageName();
        String directory = name.replace('.', '/');
        List<Class<?>> found = new ArrayList<>();
        try {
            Path location = Path.of(
                    member.getProtectionDomain().getCodeSource().getLocation().toURI());
            if (Files.isDirectory(location)) {
                addPublicClasses(location.resolve(directory), name, found);
            } else {
                try (FileSystem jar = FileSystems.newFileSystem(location)) {
                    addPublicClasses(jar.getPath(directory), name, found);
                }
            }
        } catch (IOException | URISyntaxException | ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
        return found;
    }

    private static void addPublicClasses(Path directory, String name, List<Class<?>> found)
            throws IOException, ClassNotFoundException {
        try (Stream<Path> files = Files.list(directory)) {
            for (String file : files.map(path -> path.getFileName().toString()).toList()) {
                if (file.endsWith(".class") && !file.equals("package-info.class")) {
                    Class<?> type = Class.forName(name + "." + file.substring(0, file.length() - ".class".length()));
                    if (Modifier.isPublic(type.getModifiers())) {
                        found.add(type);
                    }
                }
            }
        }
    }

    /** Returns with which {@link EscrowException} a future has failed, which a callback gets as {@code get()} does. */
    public static EscrowException failureOf(CompletionStage<?> stage) {
        EscrowException failure = assertInstanceOf(EscrowException.class, inCallback(stage));
        CompletableFuture<?> future = stage.toCompletableFuture();
        assertSame(failure, assertThrows(ExecutionException.class, future::get).getCause());
        return failure;
    }

    /** Checks that a future is cancelled, which a callback is told as {@code get()} is. */
    public static void assertCancelled(CompletableFuture<?> future) {
        assertTrue(future.isCancelled());
        assertInstanceOf(CancellationException.class, inCallback(future));
        assertThrows(CancellationException.class, future::get);
    }

    private static Throwable inCallback(CompletionStage<?> stage) {
        CompletableFuture<Throwable> told = new CompletableFuture<>();
        stage.whenComplete((result, failure) -> told.complete(failure));
        assertTrue(told.isDone(), "the future is done");
        return told.join();
    }
}
